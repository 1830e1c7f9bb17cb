// Package verify protects an API with access tokens that Keystone issued.
//
//	v, err := verify.New(verify.Config{
//		Issuer:   "https://id.example.com",
//		Audience: "https://api.example.com",
//	})
//	…
//	mux.Handle("GET /orders", v.Require("orders:read")(listOrders))
//
// Inside the handler, [ClaimsFrom] says who calls. A program without net/http
// calls [Verifier.Verify] with the bare token.
//
// A token is accepted only as RFC 9068 describes it: a signed JWT of type
// at+jwt, by an algorithm from an explicit list, with a key that the issuer
// publishes, from this issuer, for this audience, in its time. Keys a token
// brings along (jwk, jku, x5u, x5c) are never looked at.
//
// A token that is bound to a key of its caller is worth something with that key
// only: [Verifier.Require] and [Verifier.VerifyRequest] check the DPoP proof
// beside it (RFC 9449 section 7) or the TLS client certificate (RFC 8705 section
// 3). Shown as a plain bearer token it is refused, and so is one that is bound to
// something else. [Verifier.Verify], which sees no request, refuses all of them.
//
// Keys are fetched when first needed, kept for as long as the issuer says,
// refreshed ahead of time, and fetched again when a token names a key that is
// not known, at most once in [Config.RefetchInterval] however many such tokens
// arrive. While the issuer cannot be reached the old keys stay in use for
// [Config.MaxStale].
//
// A token is good until it expires: this package does not ask the issuer about
// each one. Keystone's access tokens live 15 minutes unless configured
// otherwise; ask its introspection endpoint (RFC 7662) where a revocation must
// be seen sooner.
//
// The package imports the standard library only. Start reading at verify.go;
// token.go is the format, keys.go the cache, http.go the middleware, held.go and
// proof.go what bound tokens need.
package verify
