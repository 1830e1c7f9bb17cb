package server

import (
	"reflect"

	"github.com/keystone-auth/keystone/internal/httpio"
)

// CheckJSON holds a file that is to be read into v to what the API holds a body to, and
// says at which byte it stopped: whoever moves from one to the other finds the same rules.
func CheckJSON(file []byte, v any) (at int, err error) {
	return httpio.CheckJSON(file, reflect.TypeOf(v))
}
