package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone"
)

// clientAboutFlags are what a client says of itself to people.
type clientAboutFlags struct {
	client, logo, policy, tos string
	contacts                  []string
	names                     map[string]string
}

func (f *clientAboutFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.client, "client-uri", "", "https address of a page about it, shown where people are asked to allow it")
	c.Flags().StringVar(&f.logo, "logo-uri", "", "https address of its logo, shown as a link")
	c.Flags().StringVar(&f.policy, "policy-uri", "", "https address of what it does with data about people")
	c.Flags().StringVar(&f.tos, "tos-uri", "", "https address of its terms of service")
	c.Flags().StringArrayVar(&f.contacts, "contact", nil, "whom to ask about it, such as an e-mail address (repeatable)")
	c.Flags().StringToStringVar(&f.names, "name-in", nil, "its name in other languages, such as de=Bestellungen (repeatable); all of them from now on")
}

func (f *clientAboutFlags) apply(c *cobra.Command, client *keystone.Client) {
	put(c, "client-uri", &client.ClientURI, f.client)
	put(c, "logo-uri", &client.LogoURI, f.logo)
	put(c, "policy-uri", &client.PolicyURI, f.policy)
	put(c, "tos-uri", &client.TOSURI, f.tos)
	put(c, "contact", &client.Contacts, withoutEmpty(f.contacts))
	put(c, "name-in", &client.Names, f.names)
}

func clientAbout(c clientView) string {
	list := []string{c.ClientURI, c.LogoURI, c.PolicyURI, c.TOSURI, c.SoftwareID, c.SoftwareVersion}
	return strings.Join(withoutEmpty(append(list, c.Contacts...)), " ")
}

func clientRegistration(c clientView) string {
	switch c.Registration {
	case keystone.RegistrationDynamic:
		return "registered itself"
	case keystone.RegistrationDocument:
		return "from the document at its client id"
	}
	return "made by an administrator"
}
