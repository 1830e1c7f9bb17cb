package admin

import (
	"time"

	"github.com/keystone-auth/keystone"
)

// ByID is the request for one resource.
type ByID struct {
	ID string `path:"id" maxLength:"500"`
}

// Match is the condition under which a resource may be changed.
type Match struct {
	IfMatch string `header:"If-Match" doc:"The ETag of the resource as you read it. 412 where it was changed since; left out, it is changed in any case."`
}

// empty is the answer of an operation that has nothing to say: 204.
type empty struct{}

// name checks the id or name in a path before it reaches a query.
func (r ByID) name(what string) (string, error) {
	if keystone.ValidScopeName(r.ID) != nil { // role names are narrower
		return "", notFound(what)
	}
	return r.ID, nil
}

// id is name for resources that have no name.
func (r ByID) id(what string) (string, error) {
	if !keystone.IsID(r.ID) {
		return "", notFound(what)
	}
	return r.ID, nil
}

func notFound(what string) error {
	return keystone.Fail(keystone.NotFound, "There is no such "+what+".")
}

// when is how an answer says a time that may not have come.
func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
