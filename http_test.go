package mainstem_test

import (
	"net/http"
	"net/http/httptest"
)

// httpGet asks a handler of this process.
func httpGet(h http.Handler, path string) string {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1"+path, nil))
	return w.Body.String()
}
