package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// pushed is what the push queries of the step idle ask for: a query's own result.
const pushed = "SELECT id, amount FROM o0 EMIT CHANGES;"

// taps runs push queries on one query's result in this process, each read by a goroutine, and gives them one record.
func (r *idleRun) taps(ctx context.Context) error {
	before := used()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var joined sync.WaitGroup
	got, ended := make(chan error, r.push), time.Now()
	for range r.push {
		rows, err := r.node.Query(ctx, pushed, nil)
		if err != nil {
			return err
		}
		defer rows.Close()
		joined.Go(func() {
			for _, err := range rows.All(ctx) {
				got <- err // capacity for one of each; the record comes once
				return
			}
			got <- io.ErrUnexpectedEOF
		})
	}
	r.figures["push_open_ms"] = 1000 * time.Since(ended).Seconds() / float64(max(r.push, 1))
	r.grown("push", before)
	if err := r.deliver(ctx, "push", got); err != nil {
		return err
	}
	cancel()
	joined.Wait()
	return nil
}

// grown notes what push queries take.
func (r *idleRun) grown(name string, before usage) {
	time.Sleep(time.Second)
	now, n := used(), float64(max(r.push, 1))
	r.figures[name+"_rss_kb"] = float64(now.resident-before.resident) / n / 1e3
	r.figures[name+"_heap_kb"] = float64(now.heap-before.heap) / n / 1e3
	r.figures[name+"_goroutines"] = float64(now.goroutines-before.goroutines) / n
	if err := r.heapProfile(name); err != nil {
		fmt.Println(err)
	}
}

// deliver writes one record and waits until every push query has it.
func (r *idleRun) deliver(ctx context.Context, name string, got <-chan error) error {
	began, cpu := time.Now(), cpuSeconds()
	if _, err := r.node.SQL(ctx, "INSERT INTO s0 VALUES (1, 'customer 1', 100);", nil); err != nil {
		return err
	}
	for i := range r.push {
		if err := <-got; err != nil {
			return fmt.Errorf("push query %d: %w", i, err)
		}
		if i == 0 {
			r.figures[name+"_first_ms"] = 1000 * time.Since(began).Seconds()
		}
	}
	r.figures[name+"_last_ms"] = 1000 * time.Since(began).Seconds()
	r.figures[name+"_cpu_ms"] = 1000 * (cpuSeconds() - cpu)
	return nil
}

// perConnection is how many push queries a client runs over one connection: what the server takes of streams at once.
const perConnection = 200

// httpTaps is taps over HTTP/2. Clients and server are in this process: their memory is that of both.
func (r *idleRun) httpTaps(ctx context.Context) error {
	before := used()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var joined sync.WaitGroup
	got, opened := make(chan error, r.push), make(chan error, r.push)
	began := time.Now()
	for from := 0; from < r.push; from += perConnection {
		transport := &http.Transport{Protocols: new(http.Protocols)}
		transport.Protocols.SetUnencryptedHTTP2(true)
		defer transport.CloseIdleConnections()
		client := &http.Client{Transport: transport}
		for range min(perConnection, r.push-from) {
			joined.Go(func() { got <- r.watch(ctx, client, opened) })
		}
	}
	for range r.push {
		if err := <-opened; err != nil {
			return err
		}
	}
	r.figures["http_open_ms"] = 1000 * time.Since(began).Seconds() / float64(max(r.push, 1))
	r.grown("http", before)
	if err := r.deliver(ctx, "http", got); err != nil {
		return err
	}
	cancel()
	joined.Wait()
	return nil
}

// watch runs a push query until its first row.
func (r *idleRun) watch(ctx context.Context, c *http.Client, opened chan<- error) error {
	body, err := json.Marshal(map[string]any{"sql": pushed})
	if err != nil {
		return err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+r.http+"/query-stream", bytes.NewReader(body))
	if err != nil {
		return err
	}
	answer, err := c.Do(q)
	if err != nil {
		opened <- err
		return err
	}
	defer answer.Body.Close()
	lines := bufio.NewReader(answer.Body)
	_, err = lines.ReadString('\n') // what the columns are
	if answer.StatusCode != http.StatusOK {
		err = errors.Join(err, errors.New(answer.Status))
	}
	opened <- err
	if err != nil {
		return err
	}
	_, err = lines.ReadString('\n')
	return err
}
