package httpapi

// A Status is what `mainstem status` shows: the flow, and what an operator asks for besides. Times are milliseconds, -1 means not
// known.
type Status struct {
	Flow
	Storage  *Storage  `json:"storage,omitempty"` // of the embedded broker; absent on a cluster
	Groups   []Group   `json:"groups"`
	Problems []Problem `json:"problems"` // the worst first
}

// Storage is the embedded broker's disk.
type Storage struct {
	Partitions       int     `json:"partitions"`
	LogBytes         int64   `json:"logBytes"`
	FreeBytes        int64   `json:"freeBytes"`
	TotalBytes       int64   `json:"totalBytes"` // 0: the file system does not tell
	Syncs            int64   `json:"syncs"`      // of the journal, since the start
	SyncP50Ms        float64 `json:"syncP50Ms"`
	SyncP99Ms        float64 `json:"syncP99Ms"`
	JournalFiles     int     `json:"journalFiles"`
	CheckpointAgeMs  int64   `json:"checkpointAgeMs"`
	Connections      int     `json:"connections"`
	OpenTransactions int     `json:"openTransactions"`
}

// A Group is a consumer group, or a pipeline's positions. Behind is the age of the oldest record that it has not read, by the
// record's timestamp.
type Group struct {
	Name       string `json:"name"`
	State      string `json:"state"`
	Members    int    `json:"members"`
	Partitions int    `json:"partitions"` // with a committed offset
	Lag        int64  `json:"lag"`
	BehindMs   int64  `json:"behindMs"`
}

// A Problem is something that a person should do something about.
type Problem struct {
	Severity string `json:"severity"` // "error": something does not work; "warning": it soon may not
	Code     string `json:"code"`     // a stable word
	Object   string `json:"object"`
	Message  string `json:"message"`
	Next     string `json:"next"`
}

// Severities of a Problem.
const (
	SeverityError   = "error"
	SeverityWarning = "warning"
)
