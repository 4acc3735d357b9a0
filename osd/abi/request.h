#pragma once
/*
 * What a row of a server's .def file means. One row is one request, and everything that client and
 * server need of it is made from that row:
 *
 *	REQUEST(kind, server, verb, NAME, n, asks, answers, right, repeat, text)
 *
 * kind     CALL   the client waits for the reply (sendrec)
 *          GET    the same, and the request has no payload
 *          KEEP   the same as GET, and the server may keep the request open and reply later
 *          POST   asynchronous: no reply, the client does not wait
 *          EVENT  asynchronous, from the server to a client
 * server   prefix of all names: the client calls SERVER_VERB(), the server defines SERVER_on_VERB()
 * NAME     of the number in message.type, which is the server's base (message.h) + n; n counts from 1
 *          without gaps, so that SERVER_REQUEST_N is both their count and the highest
 * asks     tag of the payload's structure: at most 56 bytes, looked at with MSG_AS; `none` without one
 * answers  the same for the reply; its first member is `err_t err`
 * right    who may ask: ANY, or a word that the server's table defines as MAY_<word>()
 * repeat   AGAIN: asking twice does what asking once does, so a client that got E_RESTART may ask the
 *          new instance (SERVER_VERB_retry()). ONCE: it may not, and has no such function
 * text     what it does, for readers
 *
 * The numbers are made in the server's header here; osd/lib/request has the functions of the client
 * and the cases of the server's dispatcher. A row without a handler does not link.
 */
#include "osd/abi/message.h"

/* The payload of a reply that says no more than whether the request was carried out. */
struct none {
	err_t err;
};

/* A row counts one: `enum { N = 0` + rows + `}`. */
#define REQUEST_COUNT(...) +1
