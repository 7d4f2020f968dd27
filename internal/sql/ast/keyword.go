package ast

import "strings"

// reserved words cannot be names unless they are quoted.
const reservedWords = `
ADVANCE ALL AND AS AT BEGINNING BETWEEN BY CASE CAST CATALOG CONNECTOR CONNECTORS CREATE DAYS DECIMAL DELETE DESCRIBE DISTINCT DROP
ELSE END EXISTS EXPORT EXTENDED FALSE FROM FULL GROUP HAVING HOPPING HOURS IN INNER INSERT INTO IS JOIN LEFT LIKE LIMIT LIST LOAD
MATERIALIZED MILLISECOND MILLISECONDS MINUTES MONTHS NAMESPACE NOT NULL ON OR OUTER PAUSE PRINT PROPERTIES QUERIES QUERY RENAME RESUME
RETENTION RIGHT RUN SAMPLE SCRIPT SECONDS SELECT SIZE STREAM STREAMS TABLE TERMINATE THEN TO TOPIC TOPICS TRUE TUMBLING UNSET VALUES
VIEW WHEN WHERE WINDOW WITH WITHIN YEARS`

// freeWords mean something in their place and are names everywhere else.
const freeWords = `
ADD ALTER ANALYZE ARRAY ASSERT CHANGES COLUMN COLUMNS DATE DAY DEFINE EMIT ESCAPE EXPLAIN FINAL FUNCTION FUNCTIONS GRACE HEADER
HEADERS HOUR ID IF INTEGER INTERVAL KEY MAP MINUTE MONTH PARTITION PARTITIONS PERIOD PLUGINS PRIMARY REPLACE RESET SCHEMA SECOND SESSION
SET SHOW SINK SOURCE STRING STRUCT SUBJECT SYSTEM TABLES TIME TIMEOUT TIMESTAMP TYPE TYPES UNDEFINE VARIABLES YEAR ZONE`

var keywords = func() map[string]bool {
	words := map[string]bool{}
	for _, w := range strings.Fields(reservedWords) {
		words[w] = true
	}
	for _, w := range strings.Fields(freeWords) {
		words[w] = false
	}
	return words
}()

// Keyword says whether a word in upper case is a keyword of the dialect, and whether it is reserved.
func Keyword(word string) (reserved, keyword bool) {
	reserved, keyword = keywords[word]
	return reserved, keyword
}

// Keywords returns all keywords in no order, for completion and hints.
func Keywords() []string {
	words := make([]string, 0, len(keywords))
	for w := range keywords {
		words = append(words, w)
	}
	return words
}

// Quote returns a name as it must be written to keep its text: back-quoted unless it is an upper-case identifier that is not reserved.
func Quote(text string) string {
	if plainName(text) && !keywords[text] {
		return text
	}
	return backQuote(text)
}

func backQuote(text string) string { return "`" + strings.ReplaceAll(text, "`", "``") + "`" }

func quoteString(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// plainName says whether the text is an identifier that the lexer leaves as it is.
func plainName(text string) bool {
	if text == "" {
		return false
	}
	for i := range len(text) {
		c := text[i]
		letter := c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c != '@' && (c < '0' || c > '9')) {
			return false
		}
	}
	return true
}
