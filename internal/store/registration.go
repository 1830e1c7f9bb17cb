package store

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/secret"
)

// Strangers is what clients may be that register without a token, and how many of
// them there may be that nobody has used. The zero value lets none in.
type Strangers struct {
	Policy  keystone.RegistrationPolicy
	Most    int // unused, in all
	PerPeer int // unused, from one source
}

// Registration is a client that registered itself.
type Registration struct {
	Client    keystone.Client
	Policy    keystone.RegistrationPolicy // under which it was registered
	Taken     keystone.Taken              // from it, by an administrator
	Statement string                      // software statement; empty: none
	Token     string                      // registration access token, where it was just made
	Secret    string                      // client secret, where it was just made
}

var (
	errInitialToken      = keystone.Fail(keystone.Unauthenticated, "Send an initial access token that is not used up and has not expired: Authorization: Bearer ... (RFC 7591 section 3).").WithCode("invalid_token")
	errRegistrationToken = keystone.Fail(keystone.Unauthenticated, "This is not the registration access token of this client, or the client is gone or switched off (RFC 7592 section 2).").WithCode("invalid_token")
	errManyRegistered    = keystone.Fail(keystone.Limited, "Too many clients have been registered that nobody has used. Try again later.").After(time.Hour)
	errKeepKind          = keystone.FailField("token_endpoint_auth_method", "A client that proves itself cannot become one that does not, nor the other way around. Register another one.")
)

// registrant is the actor of a registration: the token that was shown, or nobody.
func registrant(by keystone.Actor, id, name string, p keystone.RegistrationPolicy) keystone.Actor {
	by.Kind, by.ID, by.Name, by.Scopes = keystone.ActorRegistration, id, name, p.Scopes
	return by
}

// RegisterClient writes a client that registers itself (RFC 7591 section 3), with
// its registration access token. An initial access token is used by it, once for
// each client; without one, strangers says who may come in. build makes the client
// of a policy; where it is refused, nothing was used.
func (s *Store) RegisterClient(ctx context.Context, by keystone.Actor, initial string, strangers Strangers, statement string, build func(keystone.RegistrationPolicy) (keystone.Client, error)) (Registration, error) {
	r := Registration{Statement: statement}
	err := s.InTx(ctx, func(tx *Store) error {
		tokenID, actor := "", registrant(by, "", "registration without a token", strangers.Policy)
		r.Policy = strangers.Policy
		if initial != "" {
			t, ok, err := tx.useRegistrationToken(ctx, initial)
			if err != nil {
				return err
			}
			if !ok {
				return errInitialToken
			}
			tokenID, r.Policy, actor = t.ID, t.Policy, registrant(by, t.ID, t.Name, t.Policy)
		} else if strangers.Most == 0 {
			return errInitialToken
		} else if err := tx.roomForStrangers(ctx, by.Source, strangers); err != nil {
			return err
		}
		c, err := build(r.Policy)
		if err != nil {
			return err
		}
		c.Registration, c.Enabled, c.RotateRefreshTokens = keystone.RegistrationDynamic, true, true
		if c.Scopes, err = tx.knownScopes(ctx, c.Scopes); err != nil {
			return err
		}
		if r.Client, r.Secret, err = tx.createClient(ctx, actor, c, keystone.NewID(tx.now()), secret.New(secret.ClientSecret)); err != nil {
			return err
		}
		r.Token = secret.New(secret.RegistrationAccess)
		return tx.addRegistration(ctx, r, tokenID, by.Source, secret.Hash(r.Token))
	})
	return r, s.fail("register client", err)
}

// addRegistration writes the row beside a client that has just been made.
func (s *Store) addRegistration(ctx context.Context, r Registration, tokenID, source string, hash []byte) error {
	policy, err := json.Marshal(r.Policy)
	if err != nil {
		return err
	}
	taken, err := takenText(r.Taken)
	if err != nil {
		return err
	}
	_, err = s.q.exec(ctx, `INSERT INTO registrations (client_id, hash, token_id, policy, statement, source, used, created_at, taken) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		r.Client.ID, hash, tokenID, string(policy), r.Statement, keystone.Network(source), taken != "", micros(s.now()), taken)
	return err
}

// MayRegister checks what RegisterClient will check first, and uses nothing: who may
// not register must not have the server ask anybody anything.
func (s *Store) MayRegister(ctx context.Context, initial string, strangers Strangers) error {
	if initial == "" {
		if strangers.Most == 0 {
			return errInitialToken
		}
		return nil
	}
	id, found := "", false
	var err error
	if secret.WellFormed(secret.InitialAccess, initial) {
		found, err = s.row(ctx, `SELECT id FROM registration_tokens WHERE hash = $1 AND uses > 0 AND expires_at > $2`, []any{secret.Hash(initial), micros(s.now())}, &id)
	}
	if err == nil && !found {
		err = errInitialToken
	}
	return s.fail("read registration token", err)
}

// settleTime is how long a registration that nobody has used is safe from those that
// come after it: its owner is about to send somebody here.
const settleTime = time.Hour

// roomForStrangers makes room where too many clients have come in that nobody has
// used, in all or from one source: the oldest gives way, so that whoever fills the
// place shuts nobody out. First those go that come back by themselves, since their id
// is the address of their metadata. It refuses where all are new registrations.
// Registrations wait for one another here, so that they count right.
func (s *Store) roomForStrangers(ctx context.Context, source string, o Strangers) error {
	if _, err := s.q.exec(ctx, `INSERT INTO meta (name, value) VALUES ('registrations', '') ON CONFLICT (name) DO UPDATE SET value = excluded.value`); err != nil {
		return err
	}
	source = keystone.Network(source)
	for marked := false; ; {
		var unused, fromHere int
		if _, err := s.row(ctx, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN source = $1 THEN 1 ELSE 0 END), 0) FROM registrations WHERE used = FALSE AND token_id = ''`,
			[]any{source}, &unused, &fromHere); err != nil {
			return err
		}
		if unused < o.Most && fromHere < o.PerPeer {
			return nil
		}
		if !marked {
			marked = true
			if err := s.markUsed(ctx); err != nil {
				return err
			}
			continue
		}
		where, args := ``, []any{micros(s.now().Add(-settleTime))}
		if fromHere >= o.PerPeer {
			where, args = ` AND r.source = $2`, append(args, source)
		}
		var id string
		found, err := s.row(ctx, `SELECT r.client_id FROM registrations r JOIN clients c ON c.id = r.client_id WHERE r.used = FALSE AND r.token_id = ''
			AND (c.registration = 'document' OR r.created_at < $1)`+where+` ORDER BY c.registration, r.created_at LIMIT 1`, args, &id)
		if err != nil {
			return err
		}
		if !found {
			return errManyRegistered
		}
		if err := s.DeleteClient(ctx, keystone.System("room for other clients"), id, 0); err != nil {
			return err
		}
	}
}

// markUsed marks the clients that have got a token, or that somebody has allowed
// something.
func (s *Store) markUsed(ctx context.Context) error {
	_, err := s.q.exec(ctx, `UPDATE registrations SET used = TRUE WHERE used = FALSE AND (EXISTS (SELECT 1 FROM usage u WHERE u.client_id = registrations.client_id)
		OR EXISTS (SELECT 1 FROM grants g WHERE g.client_id = registrations.client_id) OR EXISTS (SELECT 1 FROM consents k WHERE k.client_id = registrations.client_id))`)
	return err
}

// Registration returns a client to whoever holds its registration access token. A
// client that is switched off has none: it could not be told from one that never was.
func (s *Store) Registration(ctx context.Context, clientID, token string) (r Registration, err error) {
	var policy string
	found := false
	if secret.WellFormed(secret.RegistrationAccess, token) {
		found, err = s.row(ctx, `SELECT policy, statement FROM registrations WHERE client_id = $1 AND hash = $2`, []any{clientID, secret.Hash(token)}, &policy, &r.Statement)
	}
	if err != nil {
		return r, s.fail("read registration", err)
	}
	if !found {
		return r, errRegistrationToken
	}
	if err := json.Unmarshal([]byte(policy), &r.Policy); err != nil {
		return r, s.fail("read registration", err)
	}
	if r.Client, err = s.Client(ctx, clientID); err == nil && !r.Client.Enabled {
		err = errRegistrationToken
	}
	return r, err
}

// ReplaceRegistration gives a client the metadata that build makes of it (RFC 7592
// section 2.2). Its token stays: an answer that gets lost would lock it out. What
// people allowed was the client as they saw it, so where that changes they are
// asked again. A client that now needs a secret gets one. What an administrator gave
// it beyond its policy, or took from it, is not the client's to say: it stays.
func (s *Store) ReplaceRegistration(ctx context.Context, by keystone.Actor, clientID, token, statement string, build func(keystone.Client, Registration) (keystone.Client, error)) (Registration, error) {
	var r Registration
	err := s.InTx(ctx, func(tx *Store) error {
		before, err := tx.Registration(ctx, clientID, token)
		if err != nil {
			return err
		}
		r = before
		r.Policy = before.Policy.With(before.Client)
		if statement != "" {
			r.Statement = statement
		}
		after, err := build(before.Client, r)
		if err != nil {
			return err
		}
		if after, _, err = tx.bound(ctx, before.Client, after); err != nil {
			return err
		}
		if after.Kind != before.Client.Kind {
			return errKeepKind
		}
		if after.Scopes, err = tx.knownScopes(ctx, after.Scopes); err != nil {
			return err
		}
		if r.Client, r.Secret, err = tx.replaceRegistered(ctx, registrant(by, clientID, before.Client.Name, r.Policy), before.Client, after); err != nil || statement == "" {
			return err
		}
		_, err = tx.q.exec(ctx, `UPDATE registrations SET statement = $1 WHERE client_id = $2`, statement, clientID) // after the client's row, see keepPolicy
		return err
	})
	return r, s.fail("replace registration", err)
}

func (s *Store) replaceRegistered(ctx context.Context, by keystone.Actor, before, after keystone.Client) (c keystone.Client, value string, err error) {
	if c, err = s.UpdateClient(ctx, by, before.ID, before.Version, func(c *keystone.Client) { *c = after }); err != nil {
		return c, "", err
	}
	if shownOtherwise(before, c) {
		if _, err := s.q.exec(ctx, `UPDATE consents SET scopes = '', audiences = '', allowed = '{}' WHERE client_id = $1`, c.ID); err != nil {
			return c, "", err
		}
	}
	if !c.HasSecret() || before.HasSecret() && (c.AuthMethod != keystone.AuthSecretJWT || before.AuthMethod == keystone.AuthSecretJWT) {
		return c, "", nil
	}
	value, _, err = s.addSecret(ctx, by, c, time.Time{})
	return c, value, err
}

// shownOtherwise reports whether people who are asked about the client now see
// something else.
func shownOtherwise(a, b keystone.Client) bool {
	return a.Name != b.Name || !slices.Equal(a.RedirectURIs, b.RedirectURIs) || a.ClientURI != b.ClientURI || a.LogoURI != b.LogoURI ||
		a.PolicyURI != b.PolicyURI || a.TOSURI != b.TOSURI || !slices.Equal(a.Contacts, b.Contacts) || !maps.Equal(a.Names, b.Names)
}

// DeleteRegistration removes a client for whoever holds its registration access
// token (RFC 7592 section 2.3).
func (s *Store) DeleteRegistration(ctx context.Context, by keystone.Actor, clientID, token string) error {
	err := s.InTx(ctx, func(tx *Store) error {
		r, err := tx.Registration(ctx, clientID, token)
		if err != nil {
			return err
		}
		return tx.removeClient(ctx, registrant(by, clientID, r.Client.Name, r.Policy), r.Client) // whatever it was given since: it only goes
	})
	return s.fail("delete registration", err)
}

// SweepRegistrations marks the clients that have got a token, and removes those
// that registered themselves at least unused ago and never did, with their audit
// rows. It returns how many it removed. Call it under a lease, now and then.
func (s *Store) SweepRegistrations(ctx context.Context, unused time.Duration) (removed int64, err error) {
	if err := s.markUsed(ctx); err != nil {
		return 0, s.fail("mark used registrations", err)
	}
	for {
		ids, err := s.texts(ctx, `SELECT client_id FROM registrations WHERE used = FALSE AND created_at < $1 ORDER BY created_at LIMIT 100`, micros(s.now().Add(-unused)))
		if err != nil || len(ids) == 0 {
			return removed, s.fail("sweep registrations", err)
		}
		for _, id := range ids {
			if err := s.DeleteClient(ctx, keystone.System("sweep of unused clients"), id, 0); err != nil && keystone.KindOf(err) != keystone.NotFound {
				return removed, err
			}
			removed++
		}
	}
}
