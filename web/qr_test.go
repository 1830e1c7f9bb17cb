package web_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/boombuler/barcode/qr"

	"github.com/keystone-auth/keystone/web"
)

// TestQR reads the image back, module by module.
func TestQR(t *testing.T) {
	const text = "https://id.example/device?user_code=WDJB-MJHT"
	svg, err := web.QR(text)
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(strings.NewReader(string(svg))); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(string(svg), "<script") || strings.Contains(string(svg), "WDJB") {
		t.Error("more than an image")
	}
	black := map[[2]int]bool{}
	for _, m := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`).FindAllStringSubmatch(string(svg), -1) {
		x, _ := strconv.Atoi(m[1])
		y, _ := strconv.Atoi(m[2])
		n, _ := strconv.Atoi(m[3])
		if m[3] != m[4] {
			t.Fatal(m[0])
		}
		for i := range n {
			black[[2]int{x + i - 4, y - 4}] = true
		}
	}
	want, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		t.Fatal(err)
	}
	size := want.Bounds().Dx()
	if !strings.Contains(string(svg), fmt.Sprintf(`viewBox="0 0 %d %d"`, size+8, size+8)) {
		t.Error("no quiet zone")
	}
	for y := range size {
		for x := range size {
			r, _, _, _ := want.At(x, y).RGBA()
			if (r == 0) != black[[2]int{x, y}] {
				t.Fatalf("module %d,%d is wrong", x, y)
			}
		}
	}
	if _, err := web.QR(strings.Repeat("x", 10_000)); err == nil {
		t.Error("more than fits was drawn")
	}
}
