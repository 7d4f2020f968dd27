package ksql_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/mainstemio/mainstem/internal/sql/query"
	"github.com/mainstemio/mainstem/internal/sql/session"
)

// listen opens a WebSocket for a query and returns its frames up to the end, and how it closed.
func listen(t *testing.T, s *fake, params url.Values) (frames []string, end websocket.CloseError) {
	t.Helper()
	at, _ := open(t, s, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, at+"/ws/query?"+params.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow() //nolint:errcheck // it is closed
	for {
		_, frame, err := c.Read(ctx)
		if errors.As(err, &end) {
			return frames, end
		}
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, string(frame))
	}
}

func request(text string) url.Values {
	return url.Values{"request": {`{"ksql": "` + text + `", "streamsProperties": {"auto.offset.reset": "earliest"}}`}}
}

const columnFrame = `[{"name":"ID","schema":{"fields":null,"memberSchema":null,"type":"STRING"},"type":"KEY"},` +
	`{"name":"N","schema":{"fields":null,"memberSchema":null,"type":"BIGINT"}}]`

func TestAQueryOverAWebSocket(t *testing.T) {
	gone := rowsOf("b")
	gone[0].Tombstone = true
	s := &fake{rows: newResult(true, rowsOf("a"), gone).complete("Limit Reached", nil)}
	frames, end := listen(t, s, request("SELECT * FROM s EMIT CHANGES LIMIT 2;"))
	want := []string{columnFrame, `{"row":{"columns":["a",0]}}`, `{"row":{"columns":["b",0],"tombstone":true}}`}
	if !slices.Equal(frames, want) || end.Code != websocket.StatusNormalClosure || end.Reason != "done" {
		t.Errorf("%q, %v", frames, end)
	}
	if s.asked.Text != "SELECT * FROM s EMIT CHANGES LIMIT 2;" || s.asked.Settings["auto.offset.reset"] != "earliest" {
		t.Errorf("%+v", s.asked)
	}
	select {
	case <-s.rows.closed:
	case <-time.After(30 * time.Second):
		t.Error("the query was not closed")
	}
}

func TestPrintOverAWebSocket(t *testing.T) {
	s := &fake{rows: newResult(true, rowsOf("a", `b"`)).complete("", nil)}
	frames, end := listen(t, s, request("PRINT topic;"))
	if !slices.Equal(frames, []string{`"a"`, `"b\""`}) || end.Code != websocket.StatusNormalClosure {
		t.Errorf("%q, %v", frames, end)
	}
}

func TestHowWebSocketsClose(t *testing.T) {
	long := strings.Repeat("ä", 100)
	for name, c := range map[string]struct {
		s      *fake
		params url.Values
		frames int
		code   websocket.StatusCode
		reason string
	}{
		"no request":   {&fake{}, url.Values{}, 0, websocket.StatusUnsupportedData, "missing request parameter"},
		"no JSON":      {&fake{}, url.Values{"request": {"{"}}, 0, websocket.StatusUnsupportedData, "Error parsing request"},
		"no statement": {&fake{}, request(" "), 0, websocket.StatusUnsupportedData, "must be populated"},
		"another's token": {
			&fake{},
			url.Values{"request": {`{"ksql": "SELECT 1;", "requestProperties": {"request.ksql.query.push.continuation.token": "x"}}`}},
			0,
			websocket.StatusUnsupportedData, "is none of this server",
		},
		"another version": {&fake{}, url.Values{"version": {"2"}}, 0, websocket.StatusUnsupportedData, "invalid api version"},
		"a wrong query": {
			&fake{refuse: &session.StatementError{Phase: session.Plan, Err: errors.New("there is no S")}}, request("SELECT * FROM s;"), 0,
			websocket.StatusUnsupportedData, "there is no S",
		},
		"a long reason": {&fake{refuse: errors.New(long)}, request("SELECT * FROM s;"), 0, websocket.StatusUnsupportedData, long[:120] + "..."},
		"a failure later": {
			&fake{rows: newResult(true, rowsOf("a")).complete("", errors.New("the disk is gone"))}, request("SELECT * FROM s EMIT CHANGES;"), 2,
			websocket.StatusInternalError, "the disk is gone",
		},
	} {
		t.Run(name, func(t *testing.T) {
			frames, end := listen(t, c.s, c.params)
			if len(frames) != c.frames || end.Code != c.code || !strings.Contains(end.Reason, c.reason) {
				t.Errorf("%q, %v", frames, end)
			}
		})
	}
}

func TestAClientThatLeavesEndsItsQuery(t *testing.T) {
	s := &fake{rows: newResult(true, []query.Row{})}
	at, _ := open(t, s, 1)
	c, _, err := websocket.Dial(t.Context(), at+"/ws/query?"+request("SELECT * FROM s EMIT CHANGES;").Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	<-s.rows.closed
}

func TestPagesOfOthersGetNoWebSocket(t *testing.T) {
	at, _ := open(t, &fake{}, 1)
	_, r, err := websocket.Dial(t.Context(), at+"/ws/query", &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"http://elsewhere.example"}}})
	if err == nil || r == nil || r.StatusCode != http.StatusForbidden {
		t.Errorf("%v, %v", r, err)
	}
}
