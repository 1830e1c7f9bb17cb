package config

import "strings"

// checkRegistration holds what clients may become that register themselves.
func (l *loading) checkRegistration() {
	if l.ClientRegistration == "open" {
		l.warn("CLIENT_REGISTRATION is open: everybody can register clients, under any name; people are always asked before one gets in.")
	}
	if (l.ClientIDMetadata == "allow-list") != (len(l.ClientIDMetadataHosts) > 0) && !l.bad["CLIENT_ID_METADATA"] && !l.bad["CLIENT_ID_METADATA_HOSTS"] {
		l.refuse("CLIENT_ID_METADATA_HOSTS", "belongs to CLIENT_ID_METADATA=allow-list, and that to it: name the hosts, or neither")
	}
	for _, host := range l.ClientIDMetadataHosts {
		if !isHost(host) || host != strings.ToLower(host) {
			l.refuse("CLIENT_ID_METADATA_HOSTS", shown(host)+" is not a host name in lower case, without scheme, port and wildcard")
		}
	}
	for _, item := range l.SoftwareStatementIssuers {
		issuer, keys, _ := strings.Cut(item, "=")
		if u, problem := parseURL(keys, "https"); issuer == "" || problem != "" || u.User != nil {
			l.refuse("SOFTWARE_STATEMENT_ISSUERS", shown(item)+" is not ISSUER=JWKS_URI with an https address")
		}
	}
}
