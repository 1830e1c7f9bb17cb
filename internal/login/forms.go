package login

// The forms of the pages, for the OpenAPI document.

type signInForm struct {
	Flow     string `json:"flow" doc:"The sign-in that this is a step of."`
	Login    string `json:"login,omitempty" doc:"Username or e-mail address."`
	Password string `json:"password,omitempty"`
	Account  string `json:"account,omitempty" doc:"Instead of both: the session of the browser that is chosen."`
}

type registerForm struct {
	Flow     string `json:"flow" doc:"The sign-in that this is a step of."`
	Username string `json:"username"`
	Email    string `json:"email"`
	Password string `json:"password"`
}

type codeForm struct {
	UserCode string `json:"user-code" doc:"The code that the device shows."`
}

type consentForm struct {
	Flow     string `json:"flow" doc:"The sign-in that this is a step of."`
	Account  string `json:"account" doc:"As on the page: the session, and what was shown of the client and of what it asks for."`
	Client   string `json:"client,omitempty"`
	Scope    string `json:"scope"`
	Audience string `json:"audience"`
	Decision string `json:"decision" enum:"allow,deny"`
}
