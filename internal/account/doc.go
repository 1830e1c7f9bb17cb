// Package account is what people do for themselves: register, read and change
// their account, their password and their sessions, delete all of it; and the
// two pages that a one-time link opens: the first administrator's and the
// choice of a new password.
//
// Changing what an account hangs on (password, address, its existence) asks for
// the password again, under the same failure counters as a sign-in (package
// proof).
//
// It must not know SQL, issue tokens or let anybody reach an account but their
// own.
//
// Start reading at routes.go.
package account
