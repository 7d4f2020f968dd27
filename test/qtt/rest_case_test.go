package qtt

import "encoding/json"

// A restNode is what a case of rest-query-validation-tests has more.
type restNode struct {
	Responses []responseNode `json:"responses"`
	Fails     *restFailure   `json:"expectedError"`
	Input     struct {
		WaitForPush bool `json:"waitForActivePushQuery"`
	} `json:"inputConditions"`
	Output struct {
		VerifyOrder bool `json:"verifyOrder"`
	} `json:"outputConditions"`
	PullAsProtobuf bool `json:"testPullWithProtoFormat"`
}

// A responseNode is what a statement must answer: one of the three.
type responseNode struct {
	Admin      json.RawMessage   `json:"admin"`
	Query      []json.RawMessage `json:"query"`
	QueryProto []json.RawMessage `json:"queryProto"`
}

// A restFailure is the error that the last statement must be answered with.
type restFailure struct {
	Type    string `json:"type"`
	Message string `json:"message"`
	Status  int    `json:"status"`
}
