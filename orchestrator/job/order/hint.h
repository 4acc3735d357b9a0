#pragma once
/* What a person can do about an error, from the table that both halves share. */

/* The remedy for an error by its name, E_V_HASH or e_v_hash; a general one where none is known. */
const char *hint_of(const char *error);
