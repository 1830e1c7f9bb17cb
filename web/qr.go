package web

import (
	"fmt"
	"strconv"

	"github.com/boombuler/barcode/qr"
)

// QR returns text as a QR code, an SVG image that stands alone.
func QR(text string) ([]byte, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return nil, fmt.Errorf("web: QR code: %w", err)
	}
	const quiet = 4 // modules around it that stay white (ISO/IEC 18004 section 6.3.8)
	width, height := code.Bounds().Dx(), code.Bounds().Dy()
	side := strconv.Itoa(width + 2*quiet)
	b := []byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ` + side + ` ` + side + `" width="256" height="256" shape-rendering="crispEdges" role="img"><title>QR code</title><rect width="` + side + `" height="` + side + `" fill="#fff"/><path d="`)
	for y := range height {
		for x := 0; x < width; x++ {
			begin := x
			for x < width && dark(code.At(x, y).RGBA()) {
				x++
			}
			if x > begin {
				b = fmt.Appendf(b, "M%d %dh%dv1h-%dz", begin+quiet, y+quiet, x-begin, x-begin)
			}
		}
	}
	return append(b, `"/></svg>`...), nil
}

func dark(red, _, _, _ uint32) bool { return red < 0x8000 }
