package ksql

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// choose returns the media type that the client wants most of those offered; the first where it does not care. ok is false where it wants
// none of them.
func choose(r *http.Request, offers ...string) (media string, ok bool) {
	accept := r.Header.Values("Accept")
	if len(accept) == 0 {
		return offers[0], true
	}
	best := 0.0
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		name, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		weight := 1.0
		if q, given := params["q"]; given {
			if weight, err = strconv.ParseFloat(q, 64); err != nil {
				continue
			}
		}
		if offer := matching(name, offers); offer != "" && weight > best {
			media, best = offer, weight
		}
	}
	return media, best > 0
}

// matching is the first offer that a media range takes, empty if there is none.
func matching(name string, offers []string) string {
	kind, all := strings.CutSuffix(name, "/*")
	for _, offer := range offers {
		if offer == name || all && (kind == "*" || strings.HasPrefix(offer, kind+"/")) {
			return offer
		}
	}
	return ""
}
