package oauth

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/keystone-auth/keystone"
)

// clientMetadata is what a client says of itself (RFC 7591 section 2, OpenID Connect
// Registration section 2), by the exact names. Unknown names are ignored and not
// answered.
type clientMetadata map[string]json.RawMessage

const codeMetadata = "invalid_client_metadata" // RFC 7591 section 3.2.2

// registrable names the settings of a client that it may register by itself, and
// under which metadata. What is not here is an administrator's: whose tokens it may
// exchange or introspect, what is loosened for it. An empty name is the same name.
var registrable = map[string]string{
	"token_endpoint_auth_method": "", "token_endpoint_auth_signing_alg": "", "jwks": "", "jwks_uri": "",
	"client_uri": "", "logo_uri": "", "policy_uri": "", "tos_uri": "", "contacts": "", "software_id": "", "software_version": "",
	"backchannel_logout_uri": "", "backchannel_logout_session_required": "", "frontchannel_logout_uri": "", "frontchannel_logout_session_required": "",
	"require_pushed_authorization_requests": "require_par", "dpop_bound_access_tokens": "dpop_bound", "tls_client_certificate_bound_access_tokens": "",
	"tls_client_auth_subject_dn": "", "tls_client_auth_san_dns": "", "tls_client_auth_san_uri": "", "tls_client_auth_san_ip": "", "tls_client_auth_san_email": "",
	"id_token_signed_response_alg": "", "userinfo_signed_response_alg": "", "introspection_signed_response_alg": "", "authorization_signed_response_alg": "",
	"id_token_encrypted_response_alg": "", "id_token_encrypted_response_enc": "", "userinfo_encrypted_response_alg": "", "userinfo_encrypted_response_enc": "",
	"request_object_signing_alg": "", "require_signed_request_object": "", "request_uris": "", "initiate_login_uri": "",
	"subject_type": "", "sector_identifier_uri": "",
	"backchannel_token_delivery_mode": "", "backchannel_client_notification_endpoint": "", "backchannel_authentication_request_signing_alg": "",
}

// fixed are the values of metadata for which a client has no choice here. Another
// value is refused: the client would rely on what it does not get.
var fixed = map[string]any{
	"require_auth_time": true, "backchannel_user_code_parameter": false, "authorization_details_types": nil, "default_max_age": nil,
	"request_object_encryption_alg": nil, "authorization_encrypted_response_alg": nil, "introspection_encrypted_response_alg": nil,
}

// has reports whether a name is there and says something: null is the same as left
// out (RFC 7592 section 2.2).
func (m clientMetadata) has(name string) bool {
	v, there := m[name]
	return there && string(v) != "null"
}

func (m clientMetadata) text(name string) (s string, err error) { return s, m.read(name, &s) }

// read decodes one value; what is left out leaves into as it is.
func (m clientMetadata) read(name string, into any) error {
	if m.has(name) && json.Unmarshal(m[name], into) != nil {
		return keystone.FailField(name, "It is not of the type that it should have.").WithCode(codeMetadata)
	}
	return nil
}

// client makes of c what the metadata says. What it leaves out gets its default;
// what is not the client's to say stays. Whether the result is good is for
// keystone.Client.Validate to say.
func (m clientMetadata) client(c keystone.Client) (keystone.Client, error) {
	if err := m.checkFixed(); err != nil {
		return c, err
	}
	var scope, application string
	c.Grants, c.RedirectURIs, c.PostLogoutURIs, c.Name = []string{keystone.GrantAuthorizationCode}, nil, nil, ""
	for name, into := range map[string]any{
		"redirect_uris": &c.RedirectURIs, "post_logout_redirect_uris": &c.PostLogoutURIs, "client_name": &c.Name, "scope": &scope,
		"grant_types": &c.Grants, "application_type": &application,
	} {
		if err := m.read(name, into); err != nil {
			return c, err
		}
	}
	if err := m.checkResponses(c.Grants); err != nil {
		return c, err
	}
	var err error
	if c.Scopes, err = keystone.ParseScope(scope); err != nil {
		return c, keystone.FailField("scope", "The scope is not well formed (RFC 6749 section 3.3).").WithCode(codeMetadata)
	}
	if c.ClientSettings, err = m.settings(c.ClientSettings); err != nil {
		return c, err
	}
	if c.Names, err = m.names(); err != nil {
		return c, err
	}
	if c.AuthMethod == "" {
		c.AuthMethod = keystone.AuthSecretBasic // RFC 7591 section 2
	}
	if c.Kind, err = kindOf(c, application); err != nil {
		return c, err
	}
	if c.Name == "" {
		c.Name = nameless(c)
	}
	if c.SubjectType == keystone.SubjectPairwise {
		c.AccessTokenFormat = keystone.FormatOpaque // a JWT would tell it the user's id
	}
	c = c.WithDefaults()
	if c.SubjectType == keystone.SubjectPairwise && c.SectorURI != "" && c.AnsweredElsewhere() {
		return c, errOwnSector
	}
	return c, nil
}

// names are those of client_name in other languages (RFC 7591 section 2.2).
func (m clientMetadata) names() (names map[string]string, err error) {
	for member := range m {
		if tag, ok := strings.CutPrefix(member, "client_name#"); ok && m.has(member) {
			if names == nil {
				names = map[string]string{}
			}
			if names[tag], err = m.text(member); err != nil {
				return nil, err
			}
		}
	}
	return names, nil
}

// settings is the part of the metadata that is keystone.ClientSettings.
func (m clientMetadata) settings(kept keystone.ClientSettings) (out keystone.ClientSettings, err error) {
	text, err := json.Marshal(kept)
	if err != nil {
		return out, err
	}
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &all); err != nil {
		return out, err
	}
	for name, setting := range registrable {
		setting = cmp.Or(setting, name)
		delete(all, setting)
		if m.has(name) {
			all[setting] = m[name]
		}
	}
	if text, err = json.Marshal(all); err != nil {
		return out, err
	}
	var wrong *json.UnmarshalTypeError
	if err = json.Unmarshal(text, &out); errors.As(err, &wrong) {
		err = keystone.FailField(wrong.Field, "It is not of the type that it should have.").WithCode(codeMetadata)
	}
	return out, err
}

// checkFixed refuses other values where there is no choice.
func (m clientMetadata) checkFixed() error {
	for name, only := range fixed {
		if !m.has(name) {
			continue
		}
		var v any
		if err := json.Unmarshal(m[name], &v); err != nil || only == nil || v != only {
			return keystone.FailField(name, "This is not served. The metadata at /.well-known/openid-configuration lists what is.").WithCode(codeMetadata)
		}
	}
	return nil
}

// checkResponses holds response_types to grant_types (RFC 7591 section 2.1).
func (m clientMetadata) checkResponses(grants []string) error {
	code := slices.Contains(grants, keystone.GrantAuthorizationCode)
	var responses []string
	if err := m.read("response_types", &responses); err != nil {
		return err
	}
	if code && m.has("response_types") && !slices.Equal(responses, []string{"code"}) || !code && len(responses) > 0 {
		return keystone.FailField("response_types", "It is code, with the grant type authorization_code; without that there is none.").WithCode(codeMetadata)
	}
	return nil
}

// kindOf finds the kind of a client: whether it proves itself, and whether people
// sign in. An application that says nothing is native where only such a one could
// have its redirect URIs (OpenID Connect Registration section 2).
func kindOf(c keystone.Client, application string) (keystone.ClientKind, error) {
	private := func(uri string) bool { return !strings.HasPrefix(uri, "https:") && !strings.HasPrefix(uri, "http:") }
	switch {
	case application != "" && application != "web" && application != "native":
		return "", keystone.FailField("application_type", "It is web or native.").WithCode(codeMetadata)
	case c.AuthMethod == keystone.AuthNone && (application == "native" || application == "" && slices.ContainsFunc(c.RedirectURIs, private)):
		return keystone.ClientNative, nil
	case c.AuthMethod == keystone.AuthNone:
		return keystone.ClientSPA, nil
	case len(c.RedirectURIs) == 0 && slices.Equal(c.Grants, []string{keystone.GrantClientCredentials}):
		return keystone.ClientService, nil
	}
	return keystone.ClientWeb, nil
}

// nameless is what people see of a client that says no name: where they go.
func nameless(c keystone.Client) string {
	for _, uri := range c.RedirectURIs {
		if host := keystone.Hostname(uri); host != "" {
			return host
		}
	}
	return "An application without a name"
}

// metadataOf is what a client has registered, in the names of RFC 7591. What it
// has not is left out.
func metadataOf(c keystone.Client) map[string]any {
	m := map[string]any{
		"client_id": c.ID, "client_id_issued_at": c.CreatedAt.Unix(), "client_name": c.Name, "scope": keystone.FormatScope(c.Scopes),
		"redirect_uris": append([]string{}, c.RedirectURIs...), "grant_types": c.Grants, "response_types": []string{},
	}
	if slices.Contains(c.Grants, keystone.GrantAuthorizationCode) {
		m["response_types"] = []string{"code"}
	}
	if len(c.PostLogoutURIs) > 0 {
		m["post_logout_redirect_uris"] = c.PostLogoutURIs
	}
	for tag, name := range c.Names {
		m["client_name#"+tag] = name
	}
	if c.Kind == keystone.ClientNative {
		m["application_type"] = "native"
	} else if c.Kind != keystone.ClientService {
		m["application_type"] = "web"
	}
	all := map[string]any{}
	if text, err := json.Marshal(c.ClientSettings); err == nil {
		_ = json.Unmarshal(text, &all) // what was just written
	}
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil || v == "" || v == false })
	for name, setting := range registrable {
		setting = cmp.Or(setting, name)
		if v, has := all[setting]; has {
			m[name] = v
		}
	}
	return m
}
