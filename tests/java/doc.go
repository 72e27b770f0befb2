// Package java holds the test gateway's old gateway to what the official Java
// client sends and takes.
package java
