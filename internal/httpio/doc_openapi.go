package httpio

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Doc tells the OpenAPI document one fact about a Plain route.
type Doc func(huma.Registry, *huma.Operation)

// DocForm says that the route takes a form with the fields of T, named by their
// json tags.
func DocForm[T any]() Doc {
	return func(reg huma.Registry, op *huma.Operation) {
		schema := reg.Schema(reflect.TypeFor[T](), true, op.OperationID+"Form")
		if s := reg.SchemaFromRef(schema.Ref); s != nil {
			s.AdditionalProperties = nil // RFC 6749 section 3.2: unrecognized parameters are ignored
		}
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/x-www-form-urlencoded": {Schema: schema},
		}}
		refuseBodies(op)
	}
}

// DocMayOmit says that the route's form may be left out.
func DocMayOmit() Doc {
	return func(_ huma.Registry, op *huma.Operation) { op.RequestBody.Required = false }
}

// DocEnum says which values a field of the route's form may have.
func DocEnum(field string, values ...string) Doc {
	return func(reg huma.Registry, op *huma.Operation) {
		for _, body := range op.RequestBody.Content {
			enum := make([]any, len(values))
			for i, v := range values {
				enum[i] = v
			}
			reg.SchemaFromRef(body.Schema.Ref).Properties[field].Enum = enum
		}
	}
}

// DocBody says that the route takes T as a JSON body, and ignores what T does not
// name.
func DocBody[T any]() Doc {
	return func(reg huma.Registry, op *huma.Operation) {
		schema := reg.Schema(reflect.TypeFor[T](), true, op.OperationID+"Body")
		if s := reg.SchemaFromRef(schema.Ref); s != nil {
			s.AdditionalProperties = nil
		}
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
		refuseBodies(op)
	}
}

// refuseBodies says what a route answers to a body that it does not take.
func refuseBodies(op *huma.Operation) {
	refuses(op, http.StatusRequestEntityTooLarge)
	refuses(op, http.StatusUnsupportedMediaType)
}

// DocAuth says by which schemes a request to the route is authenticated, where its
// access rule does not tell: any of them, "" for none.
func DocAuth(schemes ...string) Doc {
	return func(_ huma.Registry, op *huma.Operation) {
		op.Security = nil
		for _, name := range schemes {
			one := map[string][]string{}
			if name != "" {
				one[name] = []string{}
			}
			op.Security = append(op.Security, one)
		}
		if len(schemes) > 0 {
			refuses(op, http.StatusUnauthorized, "WWW-Authenticate")
		}
	}
}

// DocRefuses says that the route may refuse with a status that its line in the
// list does not tell.
func DocRefuses(statuses ...int) Doc {
	return func(_ huma.Registry, op *huma.Operation) {
		for _, status := range statuses {
			refuses(op, status)
		}
	}
}

// DocCached says that the answer has an ETag, and is 304 to whoever has it.
func DocCached() Doc { return DocContent(http.StatusNotModified, "", "As it was.") }

// DocAnswer says that the route answers status with T as JSON.
func DocAnswer[T any](status int, description string) Doc {
	return DocAnswerAs[T](status, "application/json", description)
}

// DocAnswerAs is DocAnswer for JSON whose media type says what it is.
func DocAnswerAs[T any](status int, contentType, description string) Doc {
	return func(reg huma.Registry, op *huma.Operation) {
		op.Responses[strconv.Itoa(status)] = &huma.Response{Description: description, Content: map[string]*huma.MediaType{
			contentType: {Schema: reg.Schema(reflect.TypeFor[T](), true, op.OperationID+"Answer")},
		}}
	}
}

// DocContent says that the route answers status with a body of another type,
// or with none where contentType is empty.
func DocContent(status int, contentType, description string) Doc {
	return func(_ huma.Registry, op *huma.Operation) {
		answer := &huma.Response{Description: description}
		if contentType != "" {
			answer.Content = map[string]*huma.MediaType{contentType: {Schema: &huma.Schema{Type: huma.TypeString}}}
		}
		op.Responses[strconv.Itoa(status)] = answer
	}
}

// DocAlso says that what the route answers with a status may be of another type too:
// text, such as a JWT.
func DocAlso(status int, contentType string) Doc {
	return func(_ huma.Registry, op *huma.Operation) {
		op.Responses[strconv.Itoa(status)].Content[contentType] = &huma.MediaType{Schema: textSchema}
	}
}

// DocParams says that the route takes the fields of T in the address, named by their
// json tags.
func DocParams[T any]() Doc {
	return func(reg huma.Registry, op *huma.Operation) {
		all := huma.SchemaFromType(reg, reflect.TypeFor[T]())
		tidy(all)
		for _, name := range slices.Sorted(maps.Keys(all.Properties)) {
			one := *all.Properties[name]
			p := &huma.Param{Name: name, In: "query", Description: one.Description, Required: slices.Contains(all.Required, name), Schema: &one}
			one.Description = ""
			op.Parameters = append(op.Parameters, p)
		}
	}
}

// DocQuery says that the route takes a query parameter.
func DocQuery(name, description string) Doc {
	return func(_ huma.Registry, op *huma.Operation) {
		op.Parameters = append(op.Parameters, &huma.Param{Name: name, In: "query", Description: description, Schema: &huma.Schema{Type: huma.TypeString}})
	}
}

// operation starts the OpenAPI entry of a route: everything that follows from
// its line in the list.
func (a *API) operation(rt Route) *huma.Operation {
	op := &huma.Operation{
		Method: rt.Method, Path: rt.Path, Summary: rt.Summary, DefaultStatus: rt.Status,
		OperationID: operationID(rt), Tags: []string{tagOf(rt.Path)},
		MaxBodyBytes: maxJSONBody + 1, // huma refuses at its limit, ours is inclusive
		Responses:    map[string]*huma.Response{},
	}
	refuse := func(status int, headers ...string) { refuses(op, status, headers...) }
	refuse(http.StatusBadRequest)
	refuse(http.StatusInternalServerError)
	refuse(http.StatusServiceUnavailable, "Retry-After")
	if rt.Access != Public && rt.Access != CrossSite {
		refuse(http.StatusUnauthorized, "WWW-Authenticate")
	}
	unsafe := rt.Method != http.MethodGet && rt.Method != http.MethodHead
	if rt.Access == Self || rt.Access.Demands() != "" || unsafe && rt.Access != ClientAuth && rt.Access != CrossSite {
		refuse(http.StatusForbidden) // the last for a page of another origin
	}
	if strings.Contains(rt.Path, "{") || rt.Page {
		refuse(http.StatusNotFound)
	}
	if rt.Limit != LimitNone {
		refuse(http.StatusTooManyRequests, "Retry-After")
	}
	if rt.Limit == LimitLogin {
		refuse(http.StatusUnauthorized, "WWW-Authenticate")
	}
	if unsafe && (rt.Access == Self || rt.Access.Demands() != "" || rt.Limit == LimitRegister) {
		refuse(http.StatusConflict)
	}
	switch {
	case rt.Access == ClientAuth:
		op.Security = []map[string][]string{{"client": {}}, {}} // a public client only names itself
	case rt.Access.Demands() != "":
		op.Security = []map[string][]string{{"bearer": {rt.Access.Demands()}}}
	case rt.Access != Public && rt.Access != CrossSite:
		op.Security = []map[string][]string{{"bearer": {}}}
	}
	return op
}

// finish says what follows from all that an operation may answer: which headers come
// with it.
func finish(op *huma.Operation) {
	_, limited := op.Responses["429"]
	_, cached := op.Responses["304"]
	bearer := slices.ContainsFunc(op.Security, func(way map[string][]string) bool { return way["bearer"] != nil })
	for status, res := range op.Responses {
		if limited {
			withHeaders(res, "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")
		}
		switch {
		case cached && (status == "200" || status == "304"):
			withHeaders(res, "ETag")
		case status == "303":
			withHeaders(res, "Location")
		case status == "403" && bearer: // RFC 6750 section 3.1
			withHeaders(res, "WWW-Authenticate")
		}
	}
}

func withHeaders(res *huma.Response, names ...string) {
	for _, name := range names {
		if res.Headers == nil {
			res.Headers = map[string]*huma.Param{}
		}
		if res.Headers[name] == nil {
			res.Headers[name] = textHeader
		}
	}
}

// forPeople says that what a page refuses, it refuses by a page.
func forPeople(op *huma.Operation) {
	for _, res := range op.Responses {
		if answer, ok := res.Content["application/json"]; ok && answer.Schema.Ref == errorRef {
			res.Content = pageContent
		}
	}
}

const errorRef = "#/components/schemas/Error"

// What hundreds of answers have in common is there once, and never written to.
var (
	textSchema   = &huma.Schema{Type: huma.TypeString}
	errorContent = map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Ref: errorRef}}}
	pageContent  = map[string]*huma.MediaType{"text/html": {Schema: textSchema}}
	textHeader   = &huma.Param{Schema: textSchema}
)

// refuses says that the operation may answer status with an Error.
func refuses(op *huma.Operation, status int, headers ...string) {
	res := &huma.Response{Description: http.StatusText(status), Content: errorContent}
	withHeaders(res, headers...)
	op.Responses[strconv.Itoa(status)] = res
}

// operationID makes getApiV1UsersById out of GET /api/v1/users/{id}.
func operationID(rt Route) string {
	var id strings.Builder
	id.WriteString(strings.ToLower(rt.Method))
	for _, part := range strings.FieldsFunc(rt.Path, func(r rune) bool { return strings.ContainsRune("/-._", r) }) {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			id.WriteString("By")
			part = strings.TrimRight(name, ".}")
		}
		if part != "" {
			id.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return id.String()
}

// tagOf groups operations by the part of the address that names the noun.
func tagOf(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case len(parts) > 3 && parts[0] == "api" && parts[2] == "admin":
		return parts[3]
	case len(parts) > 2 && parts[0] == "api":
		return parts[2]
	case parts[0] == "oauth2" || parts[0] == ".well-known":
		return "oauth2"
	}
	return "server"
}
