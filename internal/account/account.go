package account

import (
	"errors"
	"maps"
	"strconv"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
)

// Account is the user in an answer to themselves: what users/{id} shows of them.
type Account struct {
	ID            string     `json:"id" format:"uuid"`
	Username      string     `json:"username"`
	Email         string     `json:"email"`
	EmailVerified bool       `json:"email_verified"`
	FirstName     string     `json:"first_name"`
	LastName      string     `json:"last_name"`
	Enabled       bool       `json:"enabled"`
	Roles         []string   `json:"roles"`
	LastLogin     *time.Time `json:"last_login" nullable:"true"`
	CreatedAt     time.Time  `json:"created_at"`
	UpdatedAt     time.Time  `json:"updated_at"`
}

// AppendJSON writes what encoding/json would: reading one's account is a hot
// path.
func (a *Account) AppendJSON(b []byte) []byte {
	b = httpio.AppendText(append(b, `{"id":`...), a.ID)
	b = httpio.AppendText(append(b, `,"username":`...), a.Username)
	b = httpio.AppendText(append(b, `,"email":`...), a.Email)
	b = strconv.AppendBool(append(b, `,"email_verified":`...), a.EmailVerified)
	b = httpio.AppendText(append(b, `,"first_name":`...), a.FirstName)
	b = httpio.AppendText(append(b, `,"last_name":`...), a.LastName)
	b = strconv.AppendBool(append(b, `,"enabled":`...), a.Enabled)
	b = append(b, `,"roles":[`...)
	for i, role := range a.Roles {
		if i > 0 {
			b = append(b, ',')
		}
		b = httpio.AppendText(b, role)
	}
	b = append(b, `],"last_login":`...)
	if a.LastLogin == nil {
		b = append(b, `null`...)
	} else {
		b = appendTime(b, *a.LastLogin)
	}
	b = appendTime(append(b, `,"created_at":`...), a.CreatedAt)
	b = appendTime(append(b, `,"updated_at":`...), a.UpdatedAt)
	return append(b, '}')
}

// appendTime writes a time as RFC 3339 section 5.6 has it.
func appendTime(b []byte, t time.Time) []byte {
	return append(t.AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
}

type accountAnswer struct {
	ETag string `header:"ETag"`
	Body Account
}

func answerAccount(u keystone.User, err error) (*accountAnswer, error) {
	if err != nil {
		return nil, err
	}
	v := Account{
		ID: u.ID, Username: u.Username, Email: u.Email, EmailVerified: u.EmailVerified, FirstName: u.FirstName, LastName: u.LastName,
		Enabled: u.Enabled, Roles: u.Roles, CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
	}
	if !u.LastLogin.IsZero() {
		v.LastLogin = &u.LastLogin
	}
	return &accountAnswer{httpio.ETag(u.Version, u.LastLogin, u.Roles), v}, nil
}

// checkNew checks a new account and its password, and names everything that is
// wrong in one answer.
func (s *Slice) checkNew(u keystone.User, pass string) error {
	err := u.Validate()
	refused := s.Policy.Check(pass, u)
	var first, second *keystone.Error
	if !errors.As(err, &first) || !errors.As(refused, &second) {
		return errors.Join(err, refused) // at most one of them, or none
	}
	fields := maps.Clone(first.Fields)
	maps.Copy(fields, second.Fields)
	return first.WithFields(fields)
}
