package httpio

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/keystone-auth/keystone"
)

// API turns routes into handlers and keeps the OpenAPI document of them. It is
// filled once, before serving, and only read afterwards.
type API struct {
	api     edge
	adapter *adapter
}

// NewAPI returns an API without routes.
func NewAPI(title, version string) *API {
	adapter := &adapter{}
	document := &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info:    &huma.Info{Title: title, Version: version},
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry("#/components/schemas/", namer()),
			SecuritySchemes: map[string]*huma.SecurityScheme{
				"bearer": {Type: "http", Scheme: "bearer", Description: "An access token in the Authorization header (RFC 6750 section 2.1)."},
				"client": {Type: "http", Scheme: "basic", Description: "client_id and client_secret (RFC 6749 section 2.3.1); also as form fields."},
			},
		},
	}
	config := huma.Config{OpenAPI: document, DefaultFormat: "application/json"}
	a := &API{api: edge{API: huma.NewAPI(config, adapter), config: config}, adapter: adapter}
	document.Components.Schemas.Schema(reflect.TypeFor[ErrorBody](), true, "")
	return a
}

// Handler returns the bare handler of a route, without the checks that the
// server puts around it, and adds the route to the OpenAPI document. It panics
// where the route's types cannot be described: that is a fault of the program,
// and shows at start.
func (a *API) Handler(rt Route) http.Handler {
	op := a.operation(rt)
	for _, doc := range rt.Docs {
		doc(a.api.OpenAPI().Components.Schemas, op)
	}
	if rt.Page {
		if rt.Method == http.MethodPost {
			refuseBodies(op)
		}
		forPeople(op)
	}
	return rt.build(a, op)
}

// Check reports what is wrong with a route: everything that a list of routes
// could get wrong without the compiler noticing.
func (rt Route) Check() error {
	switch {
	case rt.build == nil:
		return fmt.Errorf("httpio: route %s: make it with JSON or Plain", rt.Pattern())
	case rt.Method == "" || !strings.HasPrefix(rt.Path, "/"):
		return fmt.Errorf("httpio: route %q: it needs a method and a path", rt.Pattern())
	case !rt.Access.Known():
		return fmt.Errorf("httpio: route %s: it does not say who may use it", rt.Pattern())
	case !rt.Limit.Known():
		return fmt.Errorf("httpio: route %s: it does not name its limit", rt.Pattern())
	case rt.Summary == "":
		return fmt.Errorf("httpio: route %s: it has no summary", rt.Pattern())
	}
	return nil
}

// OpenAPI returns the document of every route so far (OpenAPI 3.1).
func (a *API) OpenAPI(server string) ([]byte, error) {
	document := *a.api.OpenAPI()
	if server != "" {
		document.Servers = []*huma.Server{{URL: server}}
	}
	for _, item := range document.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op != nil {
				finish(op)
			}
		}
	}
	schemas := document.Components.Schemas.Map()
	delete(schemas, "ErrorModel") // huma's own error shape, which no route answers with
	delete(schemas, "ErrorDetail")
	b, err := json.Marshal(&document)
	if err != nil {
		return nil, fmt.Errorf("httpio: openapi document: %w", err)
	}
	return b, nil
}

// namer names the schemas: by the type, and by package and type where two
// packages use the same name.
func namer() func(reflect.Type, string) string {
	taken := map[string]reflect.Type{"Error": reflect.TypeFor[ErrorBody]()}
	return func(t reflect.Type, hint string) string {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t == taken["Error"] {
			return "Error"
		}
		name := huma.DefaultSchemaNamer(t, hint)
		if t.Name() == "" || t.Kind() != reflect.Struct {
			return name
		}
		if other, ok := taken[name]; ok && other != t {
			pkg := t.PkgPath()[strings.LastIndexByte(t.PkgPath(), '/')+1:]
			name = strings.ToUpper(pkg[:1]) + pkg[1:] + name
		}
		taken[name] = t
		return name
	}
}

// adapter catches the handler that huma makes of an operation: the server has
// its own ServeMux.
type adapter struct {
	op     *huma.Operation // as huma has completed it
	handle func(huma.Context)
}

// Handle is called once in each huma.Register.
func (a *adapter) Handle(op *huma.Operation, handle func(huma.Context)) { a.op, a.handle = op, handle }

// ServeHTTP is part of huma.Adapter. Nothing is served through it.
func (a *adapter) ServeHTTP(w http.ResponseWriter, r *http.Request) { NotFound(w, r) }

// edge is huma's API with decoding, encoding and errors replaced by ours.
type edge struct {
	huma.API
	config huma.Config
}

// Config is asked for by huma through an interface of its own.
func (e edge) Config() huma.Config { return e.config }

// Negotiate offers JSON and nothing else.
func (e edge) Negotiate(string) (string, error) { return "application/json", nil }

// Unmarshal reads a body that scan has already passed.
func (e edge) Unmarshal(_ string, data []byte, v any) error { return json.Unmarshal(data, v) }

// Transform is the last step before the status is sent: errors are answered by
// WriteError here, values are encoded here, so that one that cannot be encoded
// is an error and not half an answer.
func (e edge) Transform(ctx huma.Context, _ string, v any) (any, error) {
	x := ctx.(*humaExchange)
	switch v := v.(type) {
	case *failure:
		x.refuse(v.err)
		return nil, nil
	case *huma.ErrorModel:
		x.refuse(invalid(v))
		return nil, nil
	}
	if Unchanged(x.w, x.r) {
		x.answered = true
		return nil, nil
	}
	b := getBuffer()
	if err := encode(b, v); err != nil {
		putBuffer(b)
		x.refuse(err)
		return nil, nil
	}
	x.encoded = b
	x.finishHeaders(b.Len())
	return nil, nil
}

// Marshal sends what Transform has encoded.
func (e edge) Marshal(w io.Writer, _ string, _ any) error {
	x, ok := w.(*humaExchange)
	if !ok || x.answered || x.encoded == nil {
		return nil
	}
	_, _ = x.w.Write(x.encoded.Bytes()) // whoever asked has gone: there is nobody to tell
	putBuffer(x.encoded)
	x.encoded = nil
	return nil
}

// failure carries the error of a handler through huma.
type failure struct{ err error }

func (f *failure) Error() string  { return f.err.Error() }
func (f *failure) GetStatus() int { return codes[keystone.KindOf(f.err)].status }
