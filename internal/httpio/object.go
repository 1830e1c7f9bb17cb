package httpio

import (
	"encoding/json"
	"net/http"

	"github.com/keystone-auth/keystone"
)

var errObject = keystone.Fail(keystone.Invalid, "Send a JSON object.")

// Object reads a body that is a JSON object of which not all names need to be known
// (RFC 7591 section 3.1: unknown metadata is ignored), by the exact spelling of its
// names.
func Object(r *http.Request, limit int64) (map[string]json.RawMessage, error) {
	b := getBuffer()
	defer putBuffer(b)
	if err := readJSON(b, r, limit, nil); err != nil {
		return nil, err
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(b.Bytes(), &object) != nil || object == nil {
		return nil, errObject
	}
	return object, nil
}
