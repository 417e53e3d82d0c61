//! Studies: checked graphs of steps, content-addressed cache, journal, resume
