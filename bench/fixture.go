package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/bench/proc"
	"github.com/keystone-auth/keystone/internal/password"
	"github.com/keystone-auth/keystone/internal/secret"
	"github.com/keystone-auth/keystone/internal/store"
)

// fixture is an installation: a migrated database with the clients and people
// that the rows use, made through the store's own methods.
type fixture struct {
	dir      string
	url      string // DATABASE_URL
	settings map[string]string
	store    *store.Store // for what is made ahead; the server has its own
	people   []keystone.User
	service  credentials // client_credentials, JWT
	opaque   credentials // client_credentials, opaque; introspects and revokes
	reader   credentials // client_credentials, users:read
	app      credentials // signs people in; ID tokens RS256
	appES256 credentials // the same, ID tokens ES256
}

type credentials struct{ id, secret string }

func (c credentials) basic() string { return basic(c.id, c.secret) }

const (
	passphrase = "correct horse battery staple"
	mostPeople = 256 // who sign in; the same number of connections at most
)

// newFixture migrates the database at url and fills it.
func newFixture(ctx context.Context, dir, url string) (*fixture, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	master := secret.NewMasterKey()
	f := &fixture{dir: dir, url: url, settings: map[string]string{"DATABASE_URL": url, "MASTER_KEY": master.Encode(), "DATA_DIR": dir}}
	s, err := store.Open(ctx, url, store.Options{Master: master})
	if err != nil {
		return nil, err
	}
	f.store = s
	if _, err := s.Migrate(ctx); err != nil {
		return nil, err
	}
	if err := f.addClients(ctx); err != nil {
		return nil, fmt.Errorf("make clients: %w", err)
	}
	if err := f.addPeople(ctx); err != nil {
		return nil, fmt.Errorf("make people: %w", err)
	}
	return f, nil
}

func operator() keystone.Actor { return keystone.Operator("bench") }

var ordinary = []string{"orders:read", "orders:write"}

func (f *fixture) addClients(ctx context.Context) error {
	for _, name := range ordinary {
		if _, err := f.store.CreateScope(ctx, operator(), keystone.Scope{Name: name}); err != nil {
			return err
		}
	}
	for _, c := range []struct {
		to     *credentials
		client keystone.Client
	}{
		{&f.service, keystone.Client{Name: "bench service", Scopes: ordinary}},
		{&f.opaque, keystone.Client{Name: "bench opaque", Scopes: ordinary, AccessTokenFormat: keystone.FormatOpaque}},
		{&f.reader, keystone.Client{Name: "bench reader", Scopes: []string{keystone.UsersRead}}},
		{&f.app, application("bench application", "")},
		{&f.appES256, application("bench application, ES256", keystone.ES256)},
	} {
		if c.client.Enabled = true; c.client.Kind == "" {
			c.client.Kind = keystone.ClientService
		}
		made, clientSecret, err := f.store.CreateClient(ctx, operator(), c.client)
		if err != nil {
			return err
		}
		*c.to = credentials{made.ID, clientSecret}
	}
	return nil
}

// application is a first-party application: nobody is asked for consent.
func application(name, alg string) keystone.Client {
	return keystone.Client{
		Name: name, Kind: keystone.ClientSPA, FirstParty: true, RedirectURIs: []string{flowCallback}, Scopes: []string{"openid", "profile"},
		ClientSettings: keystone.ClientSettings{IDTokenAlg: alg},
	}
}

const benchRole = "bench"

func (f *fixture) addPeople(ctx context.Context) error {
	if _, err := f.store.CreateRole(ctx, operator(), keystone.Role{Name: benchRole, Scopes: ordinary}); err != nil {
		return err
	}
	h, err := password.New(password.Options{})
	if err != nil {
		return err
	}
	phc, err := h.Hash(ctx, passphrase)
	if err != nil {
		return err
	}
	for i := range mostPeople {
		name := "signin" + strconv.Itoa(i)
		u, err := f.store.CreateUser(ctx, operator(), keystone.User{Username: name, Email: name + "@example.org", FirstName: "Jane", LastName: "Doe", Enabled: true, Roles: []string{benchRole}}, phc)
		if err != nil {
			return err
		}
		f.people = append(f.people, u)
	}
	return nil
}

// loginBody is the JSON of a sign-in.
func (f *fixture) loginBody(i int) []byte {
	return []byte(`{"username":"` + f.people[i].Username + `","password":"` + passphrase + `"}`)
}

// createDatabase makes a database on the server at base and returns its URL and
// how to remove it.
func createDatabase(ctx context.Context, base string) (address string, drop func(), err error) {
	name := "keystone_bench_" + strings.ReplaceAll(keystone.NewID(time.Now()), "-", "")
	conn, err := pgx.Connect(ctx, base)
	if err != nil {
		return "", nil, fmt.Errorf("TEST_POSTGRES_URL does not answer: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, `CREATE DATABASE `+name); err != nil {
		return "", nil, fmt.Errorf("make a database: %w", err)
	}
	u, err := url.Parse(base)
	if err != nil {
		return "", nil, fmt.Errorf("TEST_POSTGRES_URL is not a URL")
	}
	u.Path = "/" + name
	return u.String(), func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		conn, err := pgx.Connect(ctx, base)
		if err == nil {
			_, err = conn.Exec(ctx, `DROP DATABASE IF EXISTS `+name+` WITH (FORCE)`)
			_ = conn.Close(ctx)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench: database", name, "is left behind:", err)
		}
	}, nil
}

// postmaster returns the process of the PostgreSQL server, or 0 where it does
// not run under this operating system.
func postmaster(ctx context.Context, base string) (pid int, version string, err error) {
	conn, err := pgx.Connect(ctx, base)
	if err != nil {
		return 0, "", fmt.Errorf("TEST_POSTGRES_URL does not answer: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	var backend int
	if err := conn.QueryRow(ctx, `SELECT current_setting('server_version'), pg_backend_pid()`).Scan(&version, &backend); err != nil {
		return 0, "", err
	}
	// In a container the number would be somebody else's here.
	if pid, err = proc.Parent(backend); err != nil || proc.Name(pid) != "postgres" || proc.Name(backend) != "postgres" {
		return 0, version, nil
	}
	return pid, version, nil
}
