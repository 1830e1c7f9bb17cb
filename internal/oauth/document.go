package oauth

import (
	"context"
	"encoding/json"
	"maps"
	"mime"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/cache"
	"github.com/keystone-auth/keystone/internal/fetch"
	"github.com/keystone-auth/keystone/internal/httpio"
	"github.com/keystone-auth/keystone/internal/store"
)

// Documents are clients whose client_id is the address of their metadata
// (draft-ietf-oauth-client-id-metadata-document): whoever serves the document says
// what the client is. A nil one serves none.
type Documents struct {
	Strangers store.Strangers
	Hosts     []string // of documents that are fetched; nil: any
	// Stranger refuses where too many documents that were not known have been asked
	// for from this source.
	Stranger func(ctx context.Context) error

	fetch   *fetch.Client
	counted cache.Cache[string, time.Time] // when Stranger was asked for a document that turned out good
	taken   cache.Cache[string, time.Time] // when the document was fetched that the client was last made of
}

// NewDocuments returns documents that are fetched through the guarded client.
func NewDocuments(f *fetch.Client, o store.Strangers, hosts []string, stranger func(context.Context) error) *Documents {
	return &Documents{Strangers: o, Hosts: hosts, Stranger: stranger, fetch: f, counted: cache.Sized[string, time.Time](10_000), taken: cache.Sized[string, time.Time](10_000)}
}

var (
	errDocument    = keystone.Fail(keystone.Invalid, "The client's metadata could not be read: at its client_id there must be a document of type application/json that names the same client_id, redirect_uris, and no secret.").WithCode("invalid_client")
	errNoSuch      = keystone.Fail(keystone.NotFound, "There is no such client.")
	documentMethod = []string{keystone.AuthNone, keystone.AuthPrivateKeyJWT}
)

// countedFor is how long a document that is good counts once for whoever asks for it:
// an application that asks silently for each of its visitors, before any of them has
// signed in, shuts nobody out.
const countedFor = time.Hour

// allows reports whether documents of the address are fetched.
func (d *Documents) allows(id string) bool {
	if d == nil || !keystone.IsDocumentID(id) {
		return false
	}
	u, err := url.Parse(id)
	return err == nil && (d.Hosts == nil || slices.Contains(d.Hosts, u.Hostname()))
}

// clientOf returns the client with the id, for every endpoint that is told one. A
// client whose id is an address is what its document says now: it is read again
// when the copy is no longer fresh. A client that was not known before is let in
// only where that is said; its document must be there, and nothing is written: see
// keep. Later, while the document cannot be had, the client stays what it was, but
// begins no sign-in.
func (s *Slice) clientOf(ctx context.Context, id string, letIn bool) (*keystone.Client, error) {
	if keystone.IsDocumentID(id) && !s.Documents.allows(id) {
		return &keystone.Client{}, errNoSuch
	}
	c, err := s.Store.CachedClient(ctx, id)
	known := err == nil
	if err != nil && keystone.KindOf(err) != keystone.NotFound || !keystone.IsDocumentID(id) || known && !c.Enabled || !known && !letIn {
		return c, err
	}
	if at, ok := s.Documents.counted.GetIfPresent(id); !known && !(ok && s.Store.Now().Before(at.Add(countedFor))) {
		if err := s.Documents.Stranger(ctx); err != nil {
			return c, err
		}
	}
	keystone.Checking(ctx, "client metadata document")
	doc, err := s.Documents.fetch.Get(ctx, id)
	switch {
	case err != nil && ignoreFetchFailure(err) != nil:
		return c, err
	case err != nil && known && !letIn:
		return c, nil
	case err != nil:
		return &keystone.Client{}, errDocument
	}
	if at, ok := s.Documents.taken.GetIfPresent(id); known && ok && at.Equal(doc.FetchedAt) {
		return c, nil
	}
	now, err := s.asDocument(ctx, id, doc, known)
	switch {
	case err != nil:
		return &keystone.Client{}, err
	case known:
		s.Documents.taken.Set(id, doc.FetchedAt)
	default:
		s.Documents.counted.Set(id, s.Store.Now())
	}
	return &now, nil
}

// asDocument is the client that a document describes: the one that is known, changed to
// what the document says now, or one that is nothing but the document.
func (s *Slice) asDocument(ctx context.Context, id string, doc fetch.Document, known bool) (now keystone.Client, err error) {
	m := clientMetadata{}
	if !isJSON(doc.ContentType) || json.Unmarshal(doc.Body, &m) != nil || len(doc.Body) > maxMetadata {
		keystone.Fact(ctx, "content type of the document", doc.ContentType)
		return now, errDocument
	}
	build := func(before keystone.Client) (keystone.Client, error) {
		return documentClient(id, m, s.Documents.Strangers.Policy, before)
	}
	if err = s.checkSector(ctx, m); err == nil && known {
		now, err = s.Store.KeepDocument(ctx, httpio.Actor(ctx), id, s.Documents.Strangers, build)
	} else if err == nil {
		now, err = s.Store.DocumentClient(ctx, build)
	}
	if keystone.KindOf(err) == keystone.Invalid {
		keystone.Fact(ctx, "why", err.Error())
		err = errDocument
	}
	return now, err
}

// keep writes a client that has so far been nothing but its document: it has proved
// itself, or what it asks for is begun. A request that is refused leaves no row, and
// nobody a way to fill the database by naming addresses.
func (s *Slice) keep(ctx context.Context, c *keystone.Client) (*keystone.Client, error) {
	if c.Registration != keystone.RegistrationDocument || !c.CreatedAt.IsZero() {
		return c, nil
	}
	kept, err := s.Store.KeepDocument(ctx, httpio.Actor(ctx), c.ID, s.Documents.Strangers, func(before keystone.Client) (keystone.Client, error) {
		if before.ID != "" { // another request has just written it
			return before, nil
		}
		return *c, nil
	})
	if err == nil && !kept.Enabled {
		err = errUnknownClient
	}
	return &kept, err
}

// isJSON reports whether a document says that it is one (draft section 4): else any
// site that shows what strangers wrote would speak for them.
func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json"))
}

// documentClient is the client that a document describes, made of the one before. A
// document is written for
// many servers, so grant types that are not for its client here are left out.
func documentClient(id string, said clientMetadata, policy keystone.RegistrationPolicy, before keystone.Client) (c keystone.Client, err error) {
	m := maps.Clone(said)
	if named, err := m.text("client_id"); err != nil || named != id || m.has("client_secret") || m.has("client_secret_expires_at") {
		return c, errDocument
	}
	grants, responses := []string{keystone.GrantAuthorizationCode}, []string{"code"}
	if err := m.read("grant_types", &grants); err != nil {
		return c, err
	}
	if err := m.read("response_types", &responses); err != nil || !slices.Contains(responses, "code") {
		return c, errDocument
	}
	grants = keystone.Intersect(keystone.SortedSet(grants), policy.Grants)
	if !slices.Contains(grants, keystone.GrantAuthorizationCode) {
		return c, errDocument
	}
	delete(m, "response_types")
	if m["grant_types"], err = json.Marshal(grants); err != nil {
		return c, err
	}
	if !m.has("token_endpoint_auth_method") {
		m["token_endpoint_auth_method"] = json.RawMessage(`"` + keystone.AuthNone + `"`)
	}
	if c, err = m.client(before); err != nil {
		return c, err
	}
	if !slices.Contains(documentMethod, c.AuthMethod) {
		return c, errDocument
	}
	if !m.has("client_name") {
		c.Name = documentHost(id)
	}
	c.ID = id
	return policy.Apply(c)
}

// documentHost is who answers for a client whose id is an address.
func documentHost(id string) string {
	host, _, _ := strings.Cut(strings.TrimPrefix(id, "https://"), "/")
	return host
}
