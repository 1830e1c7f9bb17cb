package keystone_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/keystone-auth/keystone"
)

const paymentTypes = `{
  "payment_initiation": {
    "text": "Pay {amount.amount} {amount.currency} to {creditor}",
    "fields": {
      "amount": {"label": "Amount", "kind": "object", "required": true, "fields": {
        "currency": {"kind": "string", "required": true, "values": ["EUR", "CHF"]}, "amount": {"kind": "string", "required": true, "max_length": 15}}},
      "creditor": {"label": "To", "kind": "string", "required": true},
      "actions": {"kind": "strings", "values": ["initiate", "status"]},
      "urgent": {"kind": "boolean"}, "parts": {"kind": "number"}
    }
  },
  "https://api.example/files": {"text": "Read {locations}", "fields": {"locations": {"kind": "strings", "required": true}}}
}`

const onePayment = `[{"type":"payment_initiation","creditor":"Merchant A","amount":{"currency":"EUR","amount":"123.50"}}]`

func detailTypes(t *testing.T) keystone.DetailTypes {
	t.Helper()
	types, err := keystone.ParseDetailTypes([]byte(paymentTypes))
	if err != nil {
		t.Fatal(err)
	}
	return types
}

func TestDetails(t *testing.T) {
	types := detailTypes(t)
	may := []string{"payment_initiation"}
	long := func(n int) string { return strings.Repeat("x", n) }
	payment := func(more string) string {
		return `{"type":"payment_initiation","creditor":"A","amount":{"currency":"EUR","amount":"1"}` + more + `}`
	}
	for name, test := range map[string]struct {
		raw string
		ok  bool
	}{
		"nothing": {"", true}, "one": {onePayment, true}, "ten": {"[" + strings.Repeat(payment("")+",", 9) + payment("") + "]", true},
		"everything": {"[" + payment(`,"actions":["initiate","status"],"urgent":false,"parts":3`) + "]", true},
		"eleven":     {"[" + strings.Repeat(payment("")+",", 10) + payment("") + "]", false},
		"an object":  {payment(""), false}, "none": {"[]", false}, "null": {"null", false}, "null inside": {"[null]", false}, "text": {`["payment_initiation"]`, false}, "not JSON": {"[{", false}, "two": {onePayment + onePayment, false},
		"no type": {`[{"creditor":"A"}]`, false}, "type of a number": {`[{"type":1}]`, false}, "another type": {`[{"type":"other"}]`, false}, "not the client's": {`[{"type":"https://api.example/files","locations":["https://a.example"]}]`, false},
		"a member missing": {`[{"type":"payment_initiation","amount":{"currency":"EUR","amount":"1"}}]`, false}, "one inside missing": {`[{"type":"payment_initiation","creditor":"A","amount":{"currency":"EUR"}}]`, false},
		"a member too many": {"[" + payment(`,"debtor":"B"`) + "]", false}, "in capitals": {"[" + payment(`,"Urgent":true`) + "]", false}, "one too many inside": {`[{"type":"payment_initiation","creditor":"A","amount":{"currency":"EUR","amount":"1","x":"y"}}]`, false},
		"a value that is not allowed": {`[{"type":"payment_initiation","creditor":"A","amount":{"currency":"USD","amount":"1"}}]`, false}, "too long": {`[{"type":"payment_initiation","creditor":"` + long(201) + `","amount":{"currency":"EUR","amount":"1"}}]`, false},
		"two lines": {`[{"type":"payment_initiation","creditor":"A\nB","amount":{"currency":"EUR","amount":"1"}}]`, false}, "turned around": {`[{"type":"payment_initiation","creditor":"A\u202eB","amount":{"currency":"EUR","amount":"1"}}]`, false},
		"a list for a text": {`[{"type":"payment_initiation","creditor":["A"],"amount":{"currency":"EUR","amount":"1"}}]`, false}, "a number for a text": {`[{"type":"payment_initiation","creditor":1,"amount":{"currency":"EUR","amount":"1"}}]`, false},
		"null for a text": {`[{"type":"payment_initiation","creditor":null,"amount":{"currency":"EUR","amount":"1"}}]`, false}, "an empty list": {"[" + payment(`,"actions":[]`) + "]", false}, "a list of numbers": {"[" + payment(`,"actions":[1]`) + "]", false},
		"another action": {"[" + payment(`,"actions":["delete"]`) + "]", false}, "a long list": {"[" + payment(`,"actions":["initiate"`+strings.Repeat(`,"initiate"`, 20)+`]`) + "]", false}, "a huge number": {"[" + payment(`,"parts":1e999`) + "]", false}, "a long number": {"[" + payment(`,"parts":1`+strings.Repeat("0", 30)) + "]", false},
		"deep": {"[" + payment(`,"urgent":`+strings.Repeat("[", 1000)+strings.Repeat("]", 1000)) + "]", false}, "large": {"[" + strings.Repeat(`{"type":"payment_initiation","creditor":"`+long(200)+`","amount":{"currency":"EUR","amount":"1"},"actions":["initiate","status","initiate","status","initiate","status","initiate","status","initiate","status"]},`, 9) + payment("") + "]", true},
		"too large": {"[" + payment(`,"urgent":true`+strings.Repeat(" ", 9000)) + "]", false},
	} {
		d, err := types.Parse(test.raw, may)
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
		var refused *keystone.Error
		if err != nil && (!errors.As(err, &refused) || refused.Kind != keystone.Invalid || refused.Code != "invalid_authorization_details") {
			t.Errorf("%s: %v", name, err)
		}
		// What comes out survives the ways it is stored.
		back, err := keystone.DetailsOf(d.Text())
		if err != nil || back.Text() != d.Text() || !d.Cover(back) || !back.Cover(d) {
			t.Errorf("%s: %v %s", name, err, back)
		}
		stored, err := json.Marshal(keystone.AuthRequest{Details: d})
		var r keystone.AuthRequest
		if err != nil || json.Unmarshal(stored, &r) != nil || r.Details.Text() != d.Text() {
			t.Errorf("%s: %s", name, stored)
		}
	}
}

func TestDetailsCompared(t *testing.T) {
	types, may := detailTypes(t), []string{"payment_initiation"}
	parse := func(raw string) keystone.Details {
		d, err := types.Parse(raw, may)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	const two = `[{"type":"payment_initiation","creditor":"Merchant A","amount":{"currency":"EUR","amount":"123.50"}}, {"type":"payment_initiation","creditor":"<B>","amount":{"currency":"CHF","amount":"9"}}]`
	granted := parse(two)
	same := parse(`[{ "amount": {"amount":"123.50", "currency":"EUR"}, "creditor":"Merchant\u0020A", "type":"payment_initiation" }]`)
	if !granted.Cover(same) || !granted.Cover(nil) || !granted.Cover(granted) || same.Cover(granted) {
		t.Error("the same in another spelling is not the same")
	}
	if shown := types.Show(parse(`[{"type":"payment_initiation","creditor":"{amount.amount}{creditor}","amount":{"currency":"EUR","amount":"consent.allow"}}]`)); shown[0].Text != "Pay consent.allow EUR to {amount.amount}{creditor}" {
		t.Errorf("a value is not a place for another: %s", shown[0].Text)
	}
	if granted.Cover(parse(`[{"type":"payment_initiation","creditor":"Merchant A","amount":{"currency":"EUR","amount":"123.51"}}]`)) {
		t.Error("another amount is covered")
	}
	if got := types.Allowed(&keystone.Client{ClientSettings: keystone.ClientSettings{DetailTypes: may}}, granted); len(got) != 2 {
		t.Errorf("%s", got.Text())
	}
	if got := types.Allowed(&keystone.Client{}, granted); got != nil {
		t.Errorf("of a client that may not: %s", got.Text())
	}
	if got := (keystone.DetailTypes{}).Allowed(&keystone.Client{ClientSettings: keystone.ClientSettings{DetailTypes: may}}, granted); got != nil {
		t.Errorf("of a type that is no more: %s", got.Text())
	}
	if names := granted.Types(); !slices.Equal(names, may) {
		t.Error(names)
	}
	shown := types.Show(parse(`[{"type":"payment_initiation","creditor":"<B>","amount":{"currency":"CHF","amount":"9"},"urgent":true,"parts":2,"actions":["initiate","status"]}]`))
	if len(shown) != 1 || shown[0].Text != "Pay 9 CHF to <B>" || !slices.Equal(shown[0].Lines, []keystone.DetailLine{
		{Label: "actions", Value: "initiate, status"}, {Label: "Amount, amount", Value: "9"}, {Label: "Amount, currency", Value: "CHF"}, {Label: "To", Value: "<B>"}, {Label: "parts", Value: "2"}, {Label: "urgent", Value: "true"}}) {
		t.Errorf("%+v", shown)
	}
}

func TestDetailTypesRefused(t *testing.T) {
	one := func(fields string) string { return `{"t":{"text":"x","fields":{` + fields + `}}}` }
	for name, raw := range map[string]string{
		"not JSON": `{`, "a list": `[]`, "more behind": `{} {}`, "an unknown word": `{"t":{"text":"x","colour":"red"}}`, "an unknown word inside": one(`"a":{"kind":"string","colour":"red"}`),
		"no text": `{"t":{"fields":{}}}`, "a name with spaces": `{"a b":{"text":"x"}}`, "no name": `{"":{"text":"x"}}`, "a placeholder of nothing": `{"t":{"text":"Pay {amount}","fields":{}}}`,
		"no kind": one(`"a":{}`), "another kind": one(`"a":{"kind":"date"}`), "type": one(`"type":{"kind":"string"}`), "a common member of another kind": one(`"actions":{"kind":"string"}`), "a name with a dot": one(`"a.b":{"kind":"string"}`),
		"length of a number": one(`"a":{"kind":"number","max_length":3}`), "values of a number": one(`"a":{"kind":"number","values":["1"]}`), "an object without fields": one(`"a":{"kind":"object"}`), "fields of a text": one(`"a":{"kind":"string","fields":{"b":{"kind":"string"}}}`),
		"too long": one(`"a":{"kind":"string","max_length":1001}`), "four deep": one(`"a":{"kind":"object","fields":{"b":{"kind":"object","fields":{"c":{"kind":"object","fields":{"d":{"kind":"string"}}}}}}}`),
	} {
		if _, err := keystone.ParseDetailTypes([]byte(raw)); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if types, err := keystone.ParseDetailTypes([]byte(`{}`)); err != nil || len(types) != 0 {
		t.Error(types, err)
	}
}

func FuzzDetails(f *testing.F) {
	types, err := keystone.ParseDetailTypes([]byte(paymentTypes))
	if err != nil {
		f.Fatal(err)
	}
	may := []string{"payment_initiation", "https://api.example/files"}
	f.Add(onePayment)
	f.Add(`[{"type":"https://api.example/files","locations":["\ud800"]}]`)
	f.Fuzz(func(t *testing.T, raw string) {
		d, err := types.Parse(raw, may)
		if err != nil || d == nil {
			return
		}
		again, err := types.Parse(d.Text(), may)
		if err != nil || again.Text() != d.Text() || len(d.Text()) > 4<<10+20 {
			t.Errorf("%q becomes %q, and that %q: %v", raw, d.Text(), again.Text(), err)
		}
		types.Show(d)
	})
}
