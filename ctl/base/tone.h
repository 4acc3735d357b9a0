#pragma once
/*
 * Colour, where somebody sees it: on a terminal, unless NO_COLOR is set; --color=always and never decide otherwise. What a
 * colour says is always in the words, too.
 */
#include <stdbool.h>
#include <stdio.h>

enum tone { TONE_WELL, TONE_NOTE, TONE_WRONG, _TONE_N };

/* how: "auto", "always", "never"; "": auto. False: another word. */
bool tone_choose(const char *how);
/* What is printed from here to tone_end() has this tone. */
void tone_begin(FILE *to, enum tone tone);
void tone_end(FILE *to);
/* Whether anything is coloured on this stream. */
bool tone_is_on(FILE *to);
