package admin

import (
	"context"
	"time"
)

// Stats are counts for the overview.
type Stats struct {
	Users            int64   `json:"users"`
	EnabledUsers     int64   `json:"enabled_users"`
	Clients          int64   `json:"clients"`
	Roles            int64   `json:"roles"`
	ActiveSessions   int64   `json:"active_sessions"`
	SignIns24h       int64   `json:"sign_ins_24h"`
	FailedSignIns24h int64   `json:"failed_sign_ins_24h"`
	Tokens24h        int64   `json:"tokens_24h"`
	Usage            []Usage `json:"usage" doc:"Tokens of the last 24 hours by client and grant type, most first, at most 50."`
}

// Usage counts the tokens that one client got by one grant type.
type Usage struct {
	ClientID  string    `json:"client_id"`
	GrantType string    `json:"grant_type"`
	Tokens    int64     `json:"tokens"`
	LastAt    time.Time `json:"last_at"`
}

type statsAnswer struct{ Body Stats }

func (s *Slice) stats(ctx context.Context, _ *struct{}) (*statsAnswer, error) {
	st, err := s.Store.Stats(ctx)
	if err != nil {
		return nil, err
	}
	out := &statsAnswer{Stats{
		Users: st.Users, EnabledUsers: st.EnabledUsers, Clients: st.Clients, Roles: st.Roles, ActiveSessions: st.Sessions,
		SignIns24h: st.SignInsToday, FailedSignIns24h: st.FailedSignInsToday, Tokens24h: st.TokensToday,
	}}
	for _, u := range st.Usage {
		out.Body.Usage = append(out.Body.Usage, Usage{ClientID: u.ClientID, GrantType: u.GrantType, Tokens: u.Tokens, LastAt: u.LastAt})
	}
	return out, nil
}
