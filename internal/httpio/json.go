package httpio

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// maxJSONBody is the largest body of the JSON API.
const maxJSONBody = 1 << 20

// buildJSON registers an operation with huma and puts our own reading of the
// request before it.
func buildJSON[I, O any](a *API, op *huma.Operation, h func(context.Context, *I) (*O, error)) http.Handler {
	if _, ok := reflect.TypeFor[I]().FieldByName("Body"); ok {
		refuseBodies(op)
	}
	if headerOf(reflect.TypeFor[I](), "If-Match") {
		refuses(op, http.StatusPreconditionFailed)
	}
	if op.Method == http.MethodGet && headerOf(reflect.TypeFor[O](), "ETag") {
		DocCached()(nil, op)
	}
	status, fill := statusField(reflect.TypeFor[O]()), fillerOf(reflect.TypeFor[O](), map[reflect.Type]bool{})
	huma.Register(a.api, *op, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if err != nil {
			return nil, &failure{err}
		}
		if out == nil {
			out = new(O)
		}
		v := reflect.ValueOf(out).Elem()
		if fill != nil {
			fill(v)
		}
		if status != nil {
			if f := v.FieldByIndex(status); f.Int() == 0 {
				f.SetInt(int64(max(op.DefaultStatus, http.StatusOK)))
			}
		}
		return out, nil
	})
	op = a.adapter.op
	tidySchemas(a, op)
	if d := directOf(op.DefaultStatus, h); d != nil {
		return bodiless{d}
	}
	j := &jsonHandler{op: op, handle: a.adapter.handle, query: queryNames(reflect.TypeFor[I]())}
	f, ok := reflect.TypeFor[I]().FieldByName("Body")
	if !ok {
		return bodiless{j}
	}
	body := op.RequestBody.Content["application/json"].Schema
	m := shaper{schemas: a.api.OpenAPI().Components.Schemas, absent: op.Method != http.MethodPatch, seen: map[*huma.Schema]*shape{}}
	j.takesBody, j.mayOmit, j.body = true, f.Type.Kind() == reflect.Pointer, m.of(body)
	return j
}

// bodiless is a call that takes no body: what somebody wishes in one is refused, not
// passed over.
type bodiless struct{ http.Handler }

func (h bodiless) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		if err := refuseBody(r); err != nil {
			WriteError(w, r, err)
			return
		}
	}
	h.Handler.ServeHTTP(w, r)
}

// jsonHandler reads the request strictly and hands it to huma.
type jsonHandler struct {
	op        *huma.Operation
	handle    func(huma.Context)
	query     map[string]bool
	takesBody bool
	mayOmit   bool
	body      *shape
}

func (j *jsonHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.RawQuery != "" {
		if err := checkQuery(r.URL.RawQuery, j.query); err != nil {
			WriteError(w, r, err)
			return
		}
	}
	if j.takesBody && !(j.mayOmit && r.ContentLength == 0) {
		b := getBuffer()
		defer putBuffer(b)
		if err := readJSON(b, r, maxJSONBody, j.body); err != nil {
			WriteError(w, r, err)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(b.Bytes()))
	}
	j.handle(&humaExchange{humaContext: humago.NewContext(j.op, r, w), w: w, r: r})
}

// humaContext is embedded under a name that is not that of one of its methods.
type humaContext = huma.Context

// humaExchange is huma's context of one request, under our rules.
type humaExchange struct {
	humaContext
	w        http.ResponseWriter
	r        *http.Request
	encoded  *bytes.Buffer
	answered bool // by WriteError or Unchanged
}

func (x *humaExchange) refuse(err error) {
	x.answered = true
	WriteError(x.w, x.r, err)
}

func (x *humaExchange) finishHeaders(length int) {
	h := x.w.Header()
	h["Content-Type"] = contentJSON
	if _, ok := h["Cache-Control"]; !ok {
		h["Cache-Control"] = noStore
	}
	setLength(h, length)
}

// SetStatus sends the status, unless the answer has been given.
func (x *humaExchange) SetStatus(code int) {
	if !x.answered {
		x.humaContext.SetStatus(code)
	}
}

// SetHeader sets a header, unless the answer has been given.
func (x *humaExchange) SetHeader(name, value string) {
	if !x.answered {
		x.humaContext.SetHeader(name, value)
	}
}

// BodyWriter is where Marshal finds what Transform has encoded.
func (x *humaExchange) BodyWriter() io.Writer { return x }

// Write is for huma's own texts about answers it could not write. The answer has
// been given by then, so they go nowhere.
func (x *humaExchange) Write(b []byte) (int, error) { return len(b), nil }

// SetReadDeadline does nothing: the body has been read, under the server's own
// deadline.
func (x *humaExchange) SetReadDeadline(time.Time) error { return nil }

// WithContext keeps our rules around a changed context.
func (x *humaExchange) WithContext(ctx context.Context) huma.Context {
	c := *x
	c.r = x.r.WithContext(ctx)
	c.humaContext = humago.NewContext(x.Operation(), c.r, x.w)
	return &c
}

// headerOf reports whether a field of t reads the named header.
func headerOf(t reflect.Type, name string) bool {
	for _, f := range reflect.VisibleFields(t) {
		if strings.EqualFold(f.Tag.Get("header"), name) {
			return true
		}
	}
	return false
}

// statusField returns where O keeps a status of its own, or nil.
func statusField(t reflect.Type) []int {
	if f, ok := t.FieldByName("Status"); ok && f.Type.Kind() == reflect.Int && f.Tag.Get("header") == "" {
		return f.Index
	}
	return nil
}

// queryNames returns the query parameters that I takes.
func queryNames(t reflect.Type) map[string]bool {
	names := map[string]bool{}
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("query"), ","); name != "" {
			names[name] = true
		}
	}
	return names
}
