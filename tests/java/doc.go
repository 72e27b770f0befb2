// Package java holds the test gateway to what the official Java clients send and
// take: that of the old gateway, and that of v3.
package java
