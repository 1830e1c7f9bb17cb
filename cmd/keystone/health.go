package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	neturl "net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/keystone-auth/keystone/internal/config"
)

// healthView says whether the server answers.
type healthView struct {
	Status string `json:"status"`
	URL    string `json:"url"`
}

func healthCommand(a *app) *cobra.Command {
	return &cobra.Command{Use: "health", Short: "Ask the server of these settings whether it is healthy", Args: cobra.NoArgs,
		Long: `Ask the server of these settings, on this machine, whether it is healthy.

It needs no database and no shell, so that a container can use it as its health
check.`,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := a.settings()
			if err != nil {
				return err
			}
			url := listenerURL(cfg) + "/health"
			err = askHealth(c.Context(), url)
			if silent := (*neturl.Error)(nil); errors.As(err, &silent) {
				return fmt.Errorf("no server answers at %s: start it (keystone serve), or ask with the settings that it runs with, of which HOST, PORT and TLS_CERT_FILE count here (%w)", url, silent.Err)
			}
			if err != nil {
				return err
			}
			if a.json {
				return a.document(healthView{"healthy", url})
			}
			return a.say("%s is healthy.", url)
		}}
}

// listenerURL is where the public listener is reached from this machine.
func listenerURL(cfg *config.Config) string {
	host, scheme := cfg.Host, "http"
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip.Is6() {
			host = "::1"
		}
	}
	if cfg.TLS() {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(cfg.Port))
}

// localClient talks to the server on this machine. It neither sends nor
// believes a secret, and only asks whether the process answers: the name in the
// certificate is that of the outside.
func localClient() *http.Client {
	return &http.Client{
		Timeout: 5 * time.Second,
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}, //nolint:gosec // see above
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func askHealth(ctx context.Context, url string) error {
	body, _, err := get(ctx, localClient(), url)
	if err != nil {
		return err
	}
	var answer struct {
		Status string `json:"status"`
	}
	if json.Unmarshal(body, &answer) != nil || answer.Status != "healthy" {
		return fmt.Errorf("%s did not answer that it is healthy", url)
	}
	return nil
}

const maxAnswer = 1 << 20

// get reads a small answer that must be a success.
func get(ctx context.Context, client *http.Client, url string) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, nil, fmt.Errorf("%s answered %s", url, resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return body, resp.Header, err
}
