package keystone

import (
	"bytes"
	"encoding/json"
	"slices"
)

// Taken is what an administrator took from a client that registered itself, by the names of
// the admin API. Its own word (RFC 7592 section 2.2), or its document, does not bring that
// back: it is narrowed, and the answer says what holds. What an administrator gives again
// is not taken any more.
type Taken struct {
	Values map[string][]string `json:"values,omitempty"` // as JSON: what was in a list, or was the value
	Held   []string            `json:"held,omitempty"`   // of held: they are what an administrator made them
}

// held are the settings that hold a client to something, so that another value is no lesser
// one: where an administrator sets one, it stays.
var held = []string{
	"require_pkce", "require_par", "dpop_bound", "dpop_nonce", "tls_client_certificate_bound_access_tokens", "require_signed_request_object",
	"request_object_signing_alg", authMethod, "token_endpoint_auth_signing_alg", "backchannel_authentication_request_signing_alg",
	"id_token_encrypted_response_alg", "id_token_encrypted_response_enc", "userinfo_encrypted_response_alg", "userinfo_encrypted_response_enc", "subject_type",
}

// weakest are values as JSON that hold a client to nothing.
var weakest = []string{`"` + AuthSecretBasic + `"`, `"` + AuthSecretPost + `"`, `"` + AuthNone + `"`, `"` + SubjectPublic + `"`}

const authMethod = "token_endpoint_auth_method"

// provedBy is what belongs to a method of client authentication.
var provedBy = []string{
	authMethod, "token_endpoint_auth_signing_alg", "jwks", "jwks_uri",
	"tls_client_auth_subject_dn", "tls_client_auth_san_dns", "tls_client_auth_san_uri", "tls_client_auth_san_ip", "tls_client_auth_san_email",
}

// said is what a client says of itself, and what a policy makes of that.
type said struct {
	Name           string   `json:"name"`
	Scopes         []string `json:"scopes"`
	Audiences      []string `json:"audiences"`
	Grants         []string `json:"grants"`
	RedirectURIs   []string `json:"redirect_uris"`
	PostLogoutURIs []string `json:"post_logout_redirect_uris"`
	RequirePKCE    bool     `json:"require_pkce"`
	ClientSettings
}

// settings are those of the client by name, without those that are empty.
type settings map[string]json.RawMessage

func (c *Client) settings() (all settings, err error) {
	text, err := json.Marshal(said{c.Name, c.Scopes, c.Audiences, c.Grants, c.RedirectURIs, c.PostLogoutURIs, !c.PKCEOptional, c.ClientSettings})
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	for name, v := range all {
		if slices.Contains([]string{"null", "false", `""`, "[]"}, string(v)) {
			delete(all, name)
		}
	}
	return all, err
}

// with is c with these settings.
func (c Client) with(all settings) (Client, error) {
	var s said
	text, err := json.Marshal(all)
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	c.Name, c.Scopes, c.Audiences, c.Grants, c.RedirectURIs, c.PostLogoutURIs = s.Name, s.Scopes, s.Audiences, s.Grants, s.RedirectURIs, s.PostLogoutURIs
	c.PKCEOptional, c.ClientSettings = !s.RequirePKCE, s.ClientSettings
	return c.WithDefaults(), err
}

// values are what is in a list, or the one value, as JSON.
func (s settings) values(name string) (list []string) {
	var items []json.RawMessage
	switch v := s[name]; {
	case len(v) == 0 || string(v) == "true":
	case json.Unmarshal(v, &items) != nil:
		return []string{string(v)}
	}
	for _, item := range items {
		list = append(list, string(item))
	}
	return list
}

// put makes a setting what it is in other.
func (s settings) put(name string, other settings) {
	if s[name] = other[name]; s[name] == nil {
		delete(s, name)
	}
}

// Note is t after an administrator has made after of before.
func (t Taken) Note(before, after Client) (now Taken, err error) {
	was, err := before.settings()
	if err != nil {
		return t, err
	}
	is, err := after.settings()
	if err != nil {
		return t, err
	}
	for _, name := range held {
		if is[name] != nil && !slices.Contains(weakest, string(is[name])) && (slices.Contains(t.Held, name) || !bytes.Equal(was[name], is[name])) {
			now.Held = append(now.Held, name)
		}
	}
	now.Values = map[string][]string{}
	note := func(name string, gone []string) {
		has := is.values(name)
		gone = slices.DeleteFunc(slices.Concat(t.Values[name], gone), func(v string) bool { return slices.Contains(has, v) })
		if len(gone) > 0 {
			now.Values[name] = SortedSet(gone)
		}
	}
	for name := range t.Values {
		note(name, was.values(name))
	}
	for name := range was {
		if !slices.Contains(held, name) {
			note(name, was.values(name))
		}
	}
	return now, nil
}

// Hold is after, which the client's own word makes of before, without what was taken. Where
// nothing is left of what it says, what it has stays.
func (t Taken) Hold(before, after Client) (Client, error) {
	if len(t.Values) == 0 && len(t.Held) == 0 {
		return after, nil
	}
	was, err := before.settings()
	if err != nil {
		return after, err
	}
	is, err := after.settings()
	if err != nil {
		return after, err
	}
	for name, gone := range t.Values {
		has := is.values(name)
		left := slices.DeleteFunc(slices.Clone(has), func(v string) bool { return slices.Contains(gone, v) })
		switch {
		case len(left) == len(has):
		case len(left) == 0:
			is.put(name, was)
		default: // a list: there are several
			items := make([]json.RawMessage, len(left))
			for i, v := range left {
				items[i] = json.RawMessage(v)
			}
			if is[name], err = json.Marshal(items); err != nil {
				return after, err
			}
		}
	}
	if slices.Contains(t.Held, authMethod) && !bytes.Equal(is[authMethod], was[authMethod]) {
		after.Kind = before.Kind
		for _, name := range provedBy {
			is.put(name, was)
		}
	}
	if slices.Contains(t.Held, "subject_type") && !bytes.Equal(is["subject_type"], was["subject_type"]) {
		is.put("sector_identifier_uri", was)
		after.AccessTokenFormat = before.AccessTokenFormat
	}
	for _, name := range t.Held {
		is.put(name, was)
	}
	if len(t.Held) > 0 && is["jwks"] == nil && is["jwks_uri"] == nil { // what is held may need them
		is.put("jwks", was)
		is.put("jwks_uri", was)
	}
	return after.with(is)
}
