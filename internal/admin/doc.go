// Package admin is the part of the JSON API with which people and services
// administer Keystone: users, roles, scopes, clients, sessions, keys, the audit
// trail, counts and settings.
//
// It turns requests into nouns and nouns into answers. Whether the actor may do
// a thing is decided twice, and not here: the server holds the scope that a
// route names, the store holds that nobody grants, or changes somebody who
// holds, what they do not hold.
//
// It must not know SQL, keys or how tokens are made, and never answers with a
// secret but once, when it is made.
//
// Start reading at routes.go, then the file of the resource you came for.
package admin
