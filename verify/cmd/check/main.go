// Command check says what an access token is worth to a resource server: it
// finds the issuer's keys, verifies the token for an audience, and prints what
// it states. It is also the smallest example of package verify.
//
//	go run ./verify/cmd/check -issuer http://127.0.0.1:8000 -audience https://api.example TOKEN
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/keystone-auth/keystone/verify"
)

func main() {
	issuer := flag.String("issuer", "", "issuer URL")
	audience := flag.String("audience", "", "whom the token must be for")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := check(*issuer, *audience, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "refused:", err)
		os.Exit(1)
	}
}

func check(issuer, audience, token string) error {
	v, err := verify.New(verify.Config{Issuer: issuer, Audience: audience})
	if err != nil {
		return err
	}
	c, err := v.Verify(context.Background(), token)
	if err != nil {
		return err
	}
	fmt.Printf("valid: subject %s, client %s, scopes %s\n", c.Subject, c.ClientID, strings.Join(c.Scopes, " "))
	return nil
}
