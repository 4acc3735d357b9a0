#pragma once
/*
 * Values as a person reads them. Each writes into ret_text and returns it, so that several can be
 * arguments of one printf(), each with a buffer of its own.
 */
#include <stddef.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#define TEXT_SIZE 64u

/* "1.25 ms"; "-" for 0. */
char *text_nsec(uint64_t nsec, char ret_text[TEXT_SIZE]);
/* "64.0 KiB" */
char *text_bytes(uint64_t bytes, char ret_text[TEXT_SIZE]);
/* Local time of unix microseconds; "-" for 0. */
char *text_time(int64_t unix_usec, char ret_text[TEXT_SIZE]);
/* Of a time near now: "14:02" of the same day, else with its date. */
char *text_clock(int64_t unix_usec, int64_t now_usec, char ret_text[TEXT_SIZE]);
/* How long, in the largest unit that fits twice or so: "41 s", "7 min", "3 h", "12 days". */
char *text_age(int64_t usec, char ret_text[TEXT_SIZE]);
/* The same from seconds; "-" also for what no calendar has. */
char *text_seconds(int64_t unix_sec, char ret_text[TEXT_SIZE]);
/* The first 12 hex digits; "-" when there are no bytes. */
char *text_id(const ProtobufCBinaryData *bytes, char ret_text[TEXT_SIZE]);
/* "7"; "7.2": generation 7, in the second layout that the machine made by itself in it. */
char *text_generation(uint64_t number, uint64_t made, char ret_text[TEXT_SIZE]);
/* "50ms", "5s", "2min" to milliseconds. -EINVAL, -ERANGE. */
int text_duration_msec(const char *text, uint32_t *ret_msec);
/* A whole number > 0. -EINVAL. */
int text_number(const char *text, uint64_t *ret_number);
/* From one moment to another, as near as a number can say; neither need be one that a clock can have. */
int64_t text_between(int64_t from, int64_t until);
