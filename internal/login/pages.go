package login

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/keystone-auth/keystone"
	"github.com/keystone-auth/keystone/web"
)

// signInView is the sign-in page.
type signInView struct {
	web.Form
	Client string
	Why    web.Text // the page is shown though somebody is signed in; empty: it explains itself
	// Register is the flow in which whoever has no account can make one; empty: in none.
	Register string
}

// why says why whoever is signed in is not enough: the application means somebody
// else (id_token_hint, or sub in claims). It does not say whom.
func (v visit) why() web.Text {
	if v.flow.Request.Subject == "" || v.facts.Session == nil || v.facts.Session.UserID == v.flow.Request.Subject {
		return nil
	}
	return web.Say("sign_in.other_account", "client", v.name, "user", v.facts.Session.Username)
}

// username is what the sign-in page has filled in: what the application says, else who
// is signed in here and has to show it again.
func (v visit) username() string {
	if hint := v.flow.Request.LoginHint; hint != "" {
		return hint
	}
	if ses := v.facts.Session; ses != nil && (v.flow.Request.Subject == "" || v.flow.Request.Subject == ses.UserID) {
		return ses.Username
	}
	return ""
}

func (s *Slice) signInPage(w http.ResponseWriter, r *http.Request, v visit, status int, refused *keystone.Error, name string) error {
	problem := ""
	if refused != nil {
		problem = refused.Msg
	}
	form := web.Form{
		Wait: web.Wait(refused), Action: "login", Submit: "sign_in.submit", Hidden: map[string]string{"flow": v.flow.ID},
		Fields: []web.Field{
			{Name: "login", Label: "sign_in.login", Type: "text", Value: name, Autocomplete: "username", MaxLength: 254},
			{Name: "password", Label: "form.password", Type: "password", Autocomplete: "current-password", MaxLength: 1024},
		},
	}
	form.Fill(problem, nil)
	if name != "" {
		form.Fields[0].Focus, form.Fields[1].Focus = false, true
	}
	view := signInView{Form: form, Client: v.name, Why: v.why()}
	if s.RegistrationOpen && v.flow.Request.Subject == "" {
		view.Register = v.flow.ID
	}
	return s.Pages.RenderFlow(w, r, status, "sign_in", web.Page{Failed: problem != "", Locales: v.flow.Request.UILocales, Data: view})
}

// chooseView is the page of a browser that carries several accounts.
type chooseView struct {
	Flow     string
	Client   string
	Accounts []account
}

type account struct{ Session, Username string }

func (s *Slice) choosePage(w http.ResponseWriter, r *http.Request, v visit) error {
	sessions, err := s.Store.BrowserSessions(r.Context(), v.browser)
	if err != nil {
		return err
	}
	view := chooseView{Flow: v.flow.ID, Client: v.name}
	for _, b := range sessions {
		view.Accounts = append(view.Accounts, account{b.ID, b.Username})
	}
	return s.Pages.RenderFlow(w, r, http.StatusOK, "choose", web.Page{Locales: v.flow.Request.UILocales, Data: view})
}

// consentView is the page that asks whether a client may.
type consentView struct {
	Flow     string
	Client   string
	Username string
	Session  string // the form gives back whose answer it is
	Edition  string // and to whom
	Scope    string // and to what
	Scopes   []keystone.Scope
	Audience string // and for whom
	// Audiences are whom it is given for; none: Keystone itself alone.
	Audiences []string
	ReturnTo  string // where the browser goes afterwards, so that people can judge
	// Unknown: nobody here has looked at the client, it registered itself.
	Unknown bool
	// Host answers for a client whose id is the address of its metadata.
	Host string
	// Anew: what was allowed before does not count, nor will this the next time.
	Anew bool
	// Loopback: the answer goes to a program on the person's own device, and any
	// program there can call itself by this client's name.
	Loopback bool
	About    []link   // what the client says of itself
	Contacts []string // whom to ask about it
	Details  []keystone.ShownDetail
	// Elsewhere is where the client asked from; nil: in this browser.
	Elsewhere *elsewhereView
}

func hostOfDocument(c *keystone.Client) string {
	if c.Registration != keystone.RegistrationDocument {
		return ""
	}
	return keystone.DisplayHost(c.ID)
}

func loopback(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && keystone.IsLoopbackHost(u.Hostname())
}

// link is an address that the client has named: shown, never fetched.
type link struct{ Text, Address string }

func linksOf(a keystone.ClientAbout) (list []link) {
	for _, l := range []link{{"client.about", a.ClientURI}, {"client.policy", a.PolicyURI}, {"client.terms", a.TOSURI}, {"client.logo", a.LogoURI}} {
		if l.Address != "" {
			list = append(list, l)
		}
	}
	return list
}

// named are the audiences of a flow as the page names them. Keystone itself, for which a
// request is that names nobody, is named beside others only.
func (s *Slice) named(v visit) []string {
	if slices.Equal(v.facts.Audiences, []string{""}) {
		return nil
	}
	list := make([]string, len(v.facts.Audiences))
	for i, audience := range v.facts.Audiences {
		list[i] = cmp.Or(audience, s.Issuer.Options.Issuer)
	}
	return list
}

func (s *Slice) consentPage(w http.ResponseWriter, r *http.Request, v visit) error {
	view := consentView{Flow: v.flow.ID, Client: v.name, Username: v.facts.Session.Username, ReturnTo: keystone.DisplayHost(v.flow.Request.RedirectURI),
		Session: v.facts.Session.ID, Edition: v.client.Edition(), Scope: keystone.FormatScope(v.facts.Offered),
		Audience: strings.Join(s.named(v), " "), Audiences: s.named(v),
		Unknown: v.client.Registration != "", Host: hostOfDocument(v.client), Loopback: v.client.Registration != "" && loopback(v.flow.Request.RedirectURI),
		Anew: v.facts.Anew, About: linksOf(v.client.ClientAbout), Contacts: v.client.Contacts}
	var err error
	if view.Elsewhere, err = s.elsewhere(r.Context(), v.flow); err != nil {
		return s.problem(w, r, err)
	}
	view.Details = s.Issuer.DetailTypes.Show(v.flow.Request.Details)
	for _, name := range v.facts.Offered {
		sc, err := s.Store.Scope(r.Context(), name)
		if err != nil {
			return err
		}
		view.Scopes = append(view.Scopes, sc)
	}
	return s.Pages.RenderFlow(w, r, http.StatusOK, "consent", web.Page{Locales: v.flow.Request.UILocales, Data: view})
}
