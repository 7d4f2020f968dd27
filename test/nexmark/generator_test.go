package nexmark_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mainstemio/mainstem/test/nexmark"
)

func TestAnEventDependsOnSeedAndNumberOnly(t *testing.T) {
	g := nexmark.Generator{Seed: 7}
	var forward []nexmark.Event
	for i := range int64(200) {
		forward = append(forward, g.Event(i))
	}
	for i := int64(199); i >= 0; i-- {
		if diff := cmp.Diff(forward[i], g.Event(i)); diff != "" {
			t.Fatalf("event %d again: %s", i, diff)
		}
	}
	if cmp.Equal(forward[4], (nexmark.Generator{Seed: 8}).Event(4)) {
		t.Error("another seed gives the same bid")
	}
}

// TestProportionsAreThoseOfTheSuite counts what the queries depend on.
func TestProportionsAreThoseOfTheSuite(t *testing.T) {
	const count = 50_000
	var g nexmark.Generator
	counts, sizes := map[string]int{}, map[string]int{}
	hotAuctions, hotBidders, hotSellers, hotChannels, ahead := 0, 0, 0, 0, 0
	auctions := int64(999) // the newest id
	for i := range int64(count) {
		e := g.Event(i)
		counts[e.Topic()]++
		sizes[e.Topic()] += len(e.Value())
		if !json.Valid(e.Value()) || e.Time() != 1436918400000+i/10 {
			t.Fatalf("event %d at %d: %s", i, e.Time(), e.Value())
		}
		switch {
		case e.Auction != nil:
			auctions = max(auctions, e.Auction.ID)
			hotSellers += hit(e.Auction.Seller%100 == 0)
			if e.Auction.Category < 10 || e.Auction.Category > 14 || e.Auction.Expires <= e.Auction.DateTime {
				t.Fatalf("auction %+v", e.Auction)
			}
		case e.Bid != nil:
			hotAuctions += hit(e.Bid.Auction%100 == 0)
			hotBidders += hit(e.Bid.Bidder%100 == 1)
			hotChannels += hit(e.Bid.Channel[0] < 'a')
			ahead += hit(e.Bid.Auction > auctions)
			if e.Bid.Auction < 1000 || e.Bid.Auction > auctions+10 || e.Bid.Price < 100 || e.Bid.Price > 100_000_000 {
				t.Fatalf("bid %+v, newest auction %d", e.Bid, auctions)
			}
		}
	}
	if counts["person"] != count/50 || counts["auction"] != 3*count/50 || counts["bid"] != 46*count/50 {
		t.Errorf("counts %v", counts)
	}
	bids := float64(counts["bid"])
	for _, share := range []struct {
		what     string
		got      float64
		low, top float64
	}{
		{"bids on the hot auction", float64(hotAuctions) / bids, 0.49, 0.53},
		{"bids of the hot bidder", float64(hotBidders) / bids, 0.74, 0.78},
		{"bids over hot channels", float64(hotChannels) / bids, 0.49, 0.51},
		{"bids ahead of their auction", float64(ahead) / bids, 0.03, 0.06},
		{"auctions of the hot seller", float64(hotSellers) / float64(counts["auction"]), 0.72, 0.78},
		{"bytes of a bid", float64(sizes["bid"]) / bids, 150, 300},
	} {
		if share.got < share.low || share.got > share.top {
			t.Errorf("%s: %.3f, want %v to %v", share.what, share.got, share.low, share.top)
		}
	}
}

func hit(b bool) int {
	if b {
		return 1
	}
	return 0
}
