package web

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Bounds of a logo: pages load it once, people wait for it.
const (
	maxLogo     = 256 << 10
	maxLogoSide = 4096
)

// readLogo takes a picture in. It is only ever shown as an image, in which nothing
// runs and nothing loads; opened by itself it is under svgPolicy.
func (p *Pages) readLogo(file string) error {
	kind := strings.ToLower(filepath.Ext(file))
	check := map[string]func([]byte) error{".svg": checkSVG, ".png": checkPNG}[kind]
	if check == nil {
		return errors.New("BRAND_LOGO is an .svg or .png file, for example BRAND_LOGO=/etc/keystone/logo.svg")
	}
	body, err := readBounded(os.DirFS(filepath.Dir(file)), filepath.Base(file), maxLogo)
	if err == nil {
		err = check(body)
	}
	if err != nil {
		return fmt.Errorf("BRAND_LOGO: %w", err)
	}
	p.logo = "logo" + kind
	p.addAsset(p.logo, body)
	return nil
}

func checkPNG(body []byte) error {
	c, err := png.DecodeConfig(bytes.NewReader(body))
	switch {
	case err != nil:
		return errors.New("this is not a PNG picture")
	case c.Width > maxLogoSide || c.Height > maxLogoSide:
		return fmt.Errorf("the picture is larger than %d x %d", maxLogoSide, maxLogoSide)
	}
	return nil
}

func checkSVG(body []byte) error {
	root := ""
	for d := xml.NewDecoder(bytes.NewReader(body)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("this is not an SVG picture: %w", err)
		}
		if start, ok := token.(xml.StartElement); ok && root == "" {
			root = start.Name.Local
		}
	}
	if root != "svg" {
		return errors.New("this is not an SVG picture")
	}
	return nil
}

// The colours of static/keystone.css that an accent stands before, and the texts
// upon it: web_test.go holds them equal.
var (
	onLight = scheme{back: []string{"#ffffff", "#f4f5f7"}, toward: 0x000000, text: "#ffffff"}
	onDark  = scheme{back: []string{"#1b2129", "#12161c"}, toward: 0xffffff, text: "#0d1b2c"}
)

type scheme struct {
	back   []string
	toward int // where an accent goes that cannot be read
	text   string
}

// readColor makes the style sheet of an accent colour. Where it would be hard to
// read it is made darker, or lighter on dark pages, until it reaches WCAG 2.2
// level AA (section 1.4.3).
func (p *Pages) readColor(hex string) error {
	if _, ok := parseColor(hex); !ok {
		return errors.New("BRAND_COLOR is a colour as # and six hexadecimal digits, for example BRAND_COLOR=#8a2be2")
	}
	rule := func(s scheme) string {
		return ":root { --accent: " + s.readable(hex) + "; --on-accent: " + s.text + "; }"
	}
	p.addAsset("brand.css", []byte(rule(onLight)+"\n@media (prefers-color-scheme: dark) { "+rule(onDark)+" }\n"))
	p.colored = true
	return nil
}

// readable returns the colour nearest to hex that can be read in the scheme.
func (s scheme) readable(hex string) string {
	rgb, _ := parseColor(hex)
	const steps = 50
	for i := range steps {
		mixed := 0
		for shift := 16; shift >= 0; shift -= 8 {
			from, to := rgb>>shift&0xff, s.toward>>shift&0xff
			mixed |= (from + (to-from)*i/steps) << shift
		}
		if hex = fmt.Sprintf("#%06x", mixed); s.contrast(hex) >= 4.5 {
			return hex
		}
	}
	return fmt.Sprintf("#%06x", s.toward)
}

// contrast returns the least contrast of a colour in the scheme, as background of
// its text too.
func (s scheme) contrast(hex string) float64 {
	least := math.Inf(1)
	for _, other := range append(s.back, s.text) {
		a, b := luminance(hex), luminance(other)
		least = min(least, (max(a, b)+0.05)/(min(a, b)+0.05))
	}
	return least
}

// luminance is the relative luminance of WCAG 2.2.
func luminance(hex string) float64 {
	rgb, _ := parseColor(hex)
	linear := func(c int) float64 {
		v := float64(c&0xff) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(rgb>>16) + 0.7152*linear(rgb>>8) + 0.0722*linear(rgb)
}

func parseColor(hex string) (int, bool) {
	if len(hex) != 7 || hex[0] != '#' {
		return 0, false
	}
	rgb, err := strconv.ParseUint(hex[1:], 16, 32)
	return int(rgb), err == nil
}
