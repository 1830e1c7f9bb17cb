// Package keystonetest boots the real Keystone inside a Go test: the server with
// all its routes and background jobs, on a SQLite database in a folder that is
// gone with the test, on a loopback port that was free.
//
//	func TestOrders(t *testing.T) {
//		s := keystonetest.Start(t)
//		token := s.SignIn(s.CreateUser("jane")).AccessToken
//		// give s.Issuer to the program under test, call it with the token
//	}
//
// Nothing is a stand-in. What differs from a server in production is stated:
// rate limits are off, hashes of passwords cost next to nothing (WithRealHashing
// has their price), and the clock can be moved forward ([Clock]). WithSettings
// brings any setting back to what production has.
//
// The package is for programs that are protected by Keystone as much as for
// Keystone's own tests, so nothing of Keystone's internals shows in it. It must
// not be used outside of tests.
//
// Start reading at start.go, then people.go and programs.go.
package keystonetest
