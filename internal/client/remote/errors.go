package remote

import (
	"errors"
	"fmt"

	"github.com/mainstemio/mainstem/internal/client"
	"github.com/twmb/franz-go/pkg/kerr"
)

// sentinels maps the cluster's errors to the client's; others are passed on as they are.
// An error of several causes is the first one's.
var sentinels = []struct{ cause, is error }{
	{kerr.ProducerFenced, client.ErrFenced},
	{kerr.InvalidProducerEpoch, client.ErrFenced},
	// Every step runs inside a transaction that this producer opened: if it is not open, somebody else ended it. A coordinator of TV2
	// says so in place of PRODUCER_FENCED when the epoch rose by one since, and a partition when the marker has come but not the epoch.
	{kerr.InvalidTxnState, client.ErrFenced},
	{kerr.FencedInstanceID, client.ErrFenced},
	{kerr.UnknownMemberID, client.ErrExpelled},
	{kerr.MessageTooLarge, client.ErrTooLarge},
	{kerr.RecordListTooLarge, client.ErrTooLarge},
	{kerr.OffsetOutOfRange, client.ErrGap},
	{kerr.UnknownTopicOrPartition, client.ErrUnknownTopic},
	{kerr.UnknownTopicID, client.ErrUnknownTopic},
}

// explain adds the sentinel to err, if there is one.
func explain(err error) error {
	for _, s := range sentinels {
		if errors.Is(err, s.cause) && !errors.Is(err, s.is) {
			return fmt.Errorf("%w: %w", s.is, err)
		}
	}
	return err
}

// coordinatorMoved: the request was not carried out; another broker must be asked.
func coordinatorMoved(err error) bool {
	return errors.Is(err, kerr.NotCoordinator) || errors.Is(err, kerr.CoordinatorNotAvailable)
}

// refused: the coordinator answered that it did not carry out the request and will later. Only such an answer allows to ask
// again; a lost connection leaves it open whether the request was, or still will be, carried out.
func refused(err error) bool {
	return coordinatorMoved(err) || errors.Is(err, kerr.CoordinatorLoadInProgress) || errors.Is(err, kerr.ConcurrentTransactions)
}
