#pragma once
/*
 * The statements that SQLite runs for questions to a record. The plan of each may not walk a table that grows, nor sort what
 * it finds, and what it did may not take more of SQLite's steps than a page of rows does, however many there are.
 */
#include <sqlite3.h>
#include <stdbool.h>

/* Of every database that is opened from here on. */
void statements_watch(void);
/* The first of them. */
sqlite3 *statements_db(void);
/* Whether those that run from here on are looked at. */
void statements_look(bool looks);
/* Those that were: how much is wrong, which is printed. */
int statements_check(void);
