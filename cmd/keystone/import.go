package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/internal/server"
	"github.com/keystone-auth/keystone/internal/store"
)

// importFile is what keystone import reads: what should be there. Fields have the
// names of the administration API, and what an entry leaves out stays as it is.
type importFile struct {
	Scopes  []importScope     `json:"scopes"`
	Roles   []importRole      `json:"roles"`
	Clients []json.RawMessage `json:"clients"` // importClient, read over what is there
	Users   []importUser      `json:"users"`
}

type importScope struct {
	Name        string  `json:"name"`
	Description *string `json:"description"`
}

type importRole struct {
	Name        string    `json:"name"`
	Description *string   `json:"description"`
	Scopes      *[]string `json:"scopes"`
}

// maxImport bounds what is read.
const maxImport = 1 << 20

// imported is what became of one entry.
type imported struct {
	Kind         string `json:"kind"`
	Name         string `json:"name"`
	ID           string `json:"id"`
	Result       string `json:"result"`                  // created, changed or unchanged
	ClientSecret string `json:"client_secret,omitempty"` // made here, shown this once
	Password     string `json:"password,omitempty"`      // made here, shown this once
}

var importedColumns = []column[imported]{
	{name: "kind", cell: func(i imported) string { return i.Kind }},
	{name: "name", cell: func(i imported) string { return i.Name }},
	{name: "id", cell: func(i imported) string { return i.ID }},
	{name: "result", cell: func(i imported) string { return i.Result }},
}

var errImportInUse = errors.New("this database is in use (it has had an administrator); to import all the same, add --yes")

func importCommand(a *app) *cobra.Command {
	var yes bool
	c := &cobra.Command{Use: "import FILE", Short: "Bring scopes, roles, clients and users to what a JSON file says (- for standard input); all of it or nothing", Args: cobra.ExactArgs(1)}
	c.Flags().BoolVar(&yes, "yes", false, "also where there has been an administrator already")
	c.RunE = a.withDatabase(func(ctx context.Context, d database, args []string) error {
		file, err := a.readImport(args[0])
		if err != nil {
			return err
		}
		if needs, err := d.NeedsSetup(ctx); err != nil {
			return err
		} else if !needs && !yes {
			return errImportInUse
		}
		people, err := a.takePeople(ctx, d, file.Users)
		if err != nil {
			return err
		}
		var done []imported
		err = d.InTx(ctx, func(tx *store.Store) error {
			done, err = file.write(ctx, tx, people)
			return err
		})
		if err != nil {
			return err
		}
		if err := a.printImported(done); err != nil { // before anything else can fail: secrets are shown this once
			return err
		}
		return d.publishImported(ctx, done)
	})
	return c
}

// publishImported makes the keys that answers to the clients are signed with.
func (d database) publishImported(ctx context.Context, done []imported) error {
	for _, one := range done {
		if one.Kind != "client" || one.Result == importUnchanged {
			continue
		}
		c, err := d.Client(ctx, one.ID)
		if err == nil {
			err = d.publishKeys(ctx, c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readImport reads a file, or standard input. A name that is not known is refused:
// what is misspelt would otherwise be left out in silence.
func (a *app) readImport(name string) (file importFile, err error) {
	in := a.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return file, err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxImport+1))
	if err != nil {
		return file, err
	}
	if len(b) > maxImport {
		return file, errors.New("the file is larger than 1 MiB: divide it")
	}
	if name == "-" {
		name = "standard input"
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")) // the byte order mark of some editors
	if at, err := readJSON(b, &file); err != nil {
		return file, fmt.Errorf("%s, line %d: %w", name, 1+bytes.Count(b[:min(at, int64(len(b)))], []byte("\n")), err)
	}
	return file, nil
}

// strictJSON reads one document without unknown names over what is in v.
func strictJSON(b []byte, v any) error {
	_, err := readJSON(b, v)
	return err
}

// readJSON is strictJSON that also says where it stopped. What encoding/json lets through
// (names twice or in another case, texts that are none) is refused as the API refuses it.
func readJSON(b []byte, v any) (at int64, err error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return jsonInWords(err, d.InputOffset())
	}
	if _, err := d.Token(); err != io.EOF {
		return d.InputOffset(), errors.New("something follows the JSON document")
	}
	if at, err := server.CheckJSON(b, v); err != nil {
		return int64(at), err
	}
	return 0, nil
}

// jsonInWords says what is wrong for people who do not read Go, and where.
func jsonInWords(err error, at int64) (int64, error) {
	var form *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.Is(err, io.EOF):
		return 0, errors.New("there is nothing in it: a JSON object is needed")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return math.MaxInt64, errors.New("it ends too early: a bracket or a quotation mark is not closed")
	case errors.As(err, &form):
		return form.Offset, fmt.Errorf("this is no JSON: %w", form)
	case errors.As(err, &kind):
		what := "the document"
		if kind.Field != "" {
			what = kind.Field
		}
		return kind.Offset, fmt.Errorf("%s must be %s, and is %s", what, kindInWords(kind.Type.Kind()), kind.Value)
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return at, fmt.Errorf("there is no field %s", field)
	}
	return at, err
}

func kindInWords(k reflect.Kind) string {
	switch k {
	case reflect.Struct, reflect.Map:
		return "an object ({…})"
	case reflect.Slice, reflect.Array:
		return "a list ([…])"
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	}
	return "a number"
}

// write brings the database to what the file says, in the order in which entries
// name one another.
func (f importFile) write(ctx context.Context, tx *store.Store, people []person) (done []imported, err error) {
	add := func(kind, name string, one imported, err error) error {
		if err != nil {
			return fmt.Errorf("%s %q: %w", kind, name, err)
		}
		one.Kind, one.Name = kind, name
		done = append(done, one)
		return nil
	}
	for _, sc := range f.Scopes {
		one, err := sc.write(ctx, tx)
		if err := add("scope", sc.Name, one, err); err != nil {
			return nil, err
		}
	}
	for _, r := range f.Roles {
		one, err := r.write(ctx, tx)
		if err := add("role", r.Name, one, err); err != nil {
			return nil, err
		}
	}
	for i, raw := range f.Clients {
		name, one, err := writeClient(ctx, tx, raw)
		if name == "" && err != nil {
			return nil, fmt.Errorf("client number %d: %w", i+1, err)
		}
		if err := add("client", name, one, err); err != nil {
			return nil, err
		}
	}
	for _, p := range people {
		one, err := p.write(ctx, tx)
		if err := add("user", p.Username, one, err); err != nil {
			return nil, err
		}
	}
	return done, nil
}

func (sc importScope) write(ctx context.Context, tx *store.Store) (imported, error) {
	before, err := tx.Scope(ctx, sc.Name)
	if keystone.KindOf(err) == keystone.NotFound {
		made, err := tx.CreateScope(ctx, operator(), keystone.Scope{Name: sc.Name, Description: orEmpty(sc.Description)})
		return imported{ID: made.ID, Result: importCreated}, err
	}
	if err != nil || sc.Description == nil || *sc.Description == before.Description {
		return imported{ID: before.ID, Result: importUnchanged}, err
	}
	_, err = tx.UpdateScope(ctx, operator(), before.ID, before.Version, *sc.Description)
	return imported{ID: before.ID, Result: importChanged}, err
}

func (r importRole) write(ctx context.Context, tx *store.Store) (imported, error) {
	before, err := tx.Role(ctx, r.Name)
	if keystone.KindOf(err) == keystone.NotFound {
		made := keystone.Role{Name: r.Name, Description: orEmpty(r.Description)}
		if r.Scopes != nil {
			made.Scopes = *r.Scopes
		}
		made, err := tx.CreateRole(ctx, operator(), made)
		return imported{ID: made.ID, Result: importCreated}, err
	}
	if err != nil {
		return imported{}, err
	}
	same := (r.Description == nil || *r.Description == before.Description) && (r.Scopes == nil || sameSet(*r.Scopes, before.Scopes))
	if same {
		return imported{ID: before.ID, Result: importUnchanged}, nil
	}
	_, err = tx.UpdateRole(ctx, operator(), before.ID, before.Version, store.RolePatch{Description: r.Description, Scopes: r.Scopes})
	return imported{ID: before.ID, Result: importChanged}, err
}

// What became of an entry.
const (
	importCreated   = "created"
	importChanged   = "changed"
	importUnchanged = "unchanged"
)

func (a *app) printImported(done []imported) error {
	if err := printList(a, keystone.List[imported]{Items: done}, func(i imported) imported { return i }, importedColumns); err != nil || a.json {
		return err
	}
	for _, i := range done {
		if i.ClientSecret != "" {
			if err := a.say("\nClient secret of %s, shown this once: %s", printable(i.Name), i.ClientSecret); err != nil {
				return err
			}
		}
		if i.Password != "" {
			if err := a.say("\nPassword of %s, shown this once: %s", printable(i.Name), i.Password); err != nil {
				return err
			}
		}
	}
	return nil
}
