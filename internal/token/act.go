package token

import "encoding/json"

// Act is who acts for the subject of a token, and for whom they acted in turn:
// the newest actor first (RFC 8693 section 4.1).
type Act struct {
	Subject  string `json:"sub" doc:"The user or client that acts."`
	ClientID string `json:"client_id,omitempty" doc:"Through which client, where that is another."`
	Act      *Act   `json:"act,omitempty" doc:"Who acted before."`
}

// MaxActors is the longest chain of actors that a token has.
const MaxActors = 4

// Depth is the number of actors in the chain; 0 for none.
func (a *Act) Depth() (n int) {
	for ; a != nil; a = a.Act {
		n++
	}
	return n
}

// AppendJSON writes what encoding/json would. a is not nil.
func (a *Act) AppendJSON(b []byte) []byte {
	text, _ := json.Marshal(a) // strings always encode
	return append(b, text...)
}

// text is the stored form; "" is nobody.
func (a *Act) text() string {
	if a == nil {
		return ""
	}
	return string(a.AppendJSON(nil))
}

func parseAct(text string) (*Act, error) {
	if text == "" {
		return nil, nil
	}
	a := &Act{}
	return a, json.Unmarshal([]byte(text), a)
}
