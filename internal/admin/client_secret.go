package admin

import (
	"context"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/httpio"
)

// ClientSecret is what may be known about a client secret after it was shown.
type ClientSecret struct {
	ID        string     `json:"id" format:"uuid"`
	Hint      string     `json:"hint" doc:"Its last four characters."`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at" nullable:"true" doc:"null: never."`
}

func viewSecret(cs keystone.ClientSecret) ClientSecret {
	return ClientSecret{ID: cs.ID, Hint: cs.Hint, CreatedAt: cs.CreatedAt, ExpiresAt: when(cs.ExpiresAt)}
}

// defaultOverlap is how long the secrets before a new one stay valid.
const defaultOverlap = 24 * time.Hour

type rotateSecretRequest struct {
	ByID
	Body *struct {
		OverlapSeconds *int64 `json:"overlap_seconds,omitempty" minimum:"0" maximum:"2592000" doc:"How long the secrets before stay valid: at most 30 days, a day where it is left out. 0 ends them at once, and every access token of the client with them."`
	}
}

// NewSecret is a client secret that was just made.
type NewSecret struct {
	ClientID     string       `json:"client_id"`
	ClientSecret string       `json:"client_secret" doc:"Shown this once."`
	Secret       ClientSecret `json:"secret" doc:"What can be read of it later."`
	OverlapEnds  time.Time    `json:"overlap_ends" doc:"When the secrets before it end, those that do not end sooner."`
}

type rotateSecretAnswer struct{ Body NewSecret }

func (s *Slice) rotateSecret(ctx context.Context, in *rotateSecretRequest) (*rotateSecretAnswer, error) {
	overlap := defaultOverlap
	if in.Body != nil && in.Body.OverlapSeconds != nil {
		overlap = time.Duration(*in.Body.OverlapSeconds) * time.Second
	}
	value, cs, err := s.Store.RotateSecret(ctx, httpio.Actor(ctx), in.ID, overlap)
	if err != nil {
		return nil, err
	}
	return &rotateSecretAnswer{NewSecret{ClientID: cs.ClientID, ClientSecret: value, Secret: viewSecret(cs), OverlapEnds: cs.CreatedAt.Add(overlap)}}, nil
}

type listSecretsAnswer struct {
	Body httpio.Collection[ClientSecret]
}

type listSecretsRequest struct {
	ByID
	httpio.PageQuery
}

func (s *Slice) listSecrets(ctx context.Context, in *listSecretsRequest) (*listSecretsAnswer, error) {
	p, err := in.Page()
	if err != nil {
		return nil, err
	}
	c, err := s.Store.Client(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Secrets(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	return &listSecretsAnswer{httpio.Collect(httpio.PageOf(list, p, func(cs keystone.ClientSecret) string { return cs.ID }), viewSecret)}, nil
}

type removeSecretRequest struct {
	ByID
	SecretID string `path:"sid" maxLength:"100"`
}

func (s *Slice) removeSecret(ctx context.Context, in *removeSecretRequest) (*empty, error) {
	if !keystone.IsID(in.SecretID) {
		return nil, notFound("secret")
	}
	return nil, s.Store.RemoveSecret(ctx, httpio.Actor(ctx), in.ID, in.SecretID)
}
