package verify_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/keystone-auth/keystone/verify"
)

// An API that lets a request in only with a token that holds a scope.
func ExampleVerifier_Require() {
	id := startIssuer() // stands for https://id.example.com
	defer id.Close()

	v, err := verify.New(verify.Config{
		Issuer:   id.URL,
		Audience: "https://api.example.com",
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /orders", v.Require("orders:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		claims, _ := verify.ClaimsFrom(r.Context())
		fmt.Fprintln(w, "orders of", claims.Subject)
	})))

	call := func(authorization string) {
		r := httptest.NewRequest(http.MethodGet, "/orders", nil)
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Print(w.Code, " ", w.Body)
	}
	call("Bearer " + id.token(nil))
	call("Bearer " + id.token(map[string]any{"scope": "profile"}))
	call("")
	// Output:
	// 200 orders of 0198f0e0-0000-7000-8000-000000000001
	// 403 {"error":"insufficient_scope","error_description":"The access token lacks a scope that this needs."}
	// 401 {"error":"authentication_failed","error_description":"Send an access token in the Authorization header."}
}

// A program that gets its tokens elsewhere than from HTTP requests, for
// example from the metadata of a gRPC call or the header of a queued message.
func ExampleVerifier_Verify() {
	id := startIssuer() // stands for https://id.example.com
	defer id.Close()

	v, err := verify.New(verify.Config{Issuer: id.URL, Audience: "https://api.example.com"})
	if err != nil {
		log.Fatal(err)
	}
	for _, token := range []string{
		id.token(nil),
		id.token(map[string]any{"aud": "https://other.example.com"}),
		id.token(map[string]any{"exp": 1000000000}),
	} {
		claims, err := v.Verify(context.Background(), token)
		switch {
		case errors.Is(err, verify.ErrExpired):
			fmt.Println("ask for a new token")
		case errors.Is(err, verify.ErrInvalid):
			fmt.Println(err)
		case err != nil:
			fmt.Println("try again later:", err)
		default:
			fmt.Println(claims.Scopes, claims.HasScope("orders:write"))
		}
	}
	// Output:
	// [orders:read orders:write] true
	// access token refused: it is meant for another audience
	// ask for a new token
}
