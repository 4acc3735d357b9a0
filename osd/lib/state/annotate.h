#pragma once
/* The annotations of state, for service authors. */
#include "osd/lib/annotate/annotate.h"
