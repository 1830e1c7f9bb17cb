// Package secret makes and checks everything that must not be guessed and is
// not a password or a signing key: bearer values, the master key, what is
// sealed or keyed under it.
//
// It imports the standard library only, keeps nothing and reads no settings.
// It must not know what a client, a session or a user is: callers hand it
// prefixes, purposes and bytes.
//
// Nothing here is usable at rest. A bearer value of 256 random bits is stored
// as its SHA-256 ([Hash]); a refresh token is not stored at all, it is derived
// ([RefreshTokens]); what must be read back is sealed ([MasterKey.Seal]) under
// a key that is not in the database.
//
// Start reading at bearer.go, then master.go.
package secret
