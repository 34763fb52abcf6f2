"""What a leg sends and hears: marks, tones, prompts, speech and quality, in numpy, and in C where
it goes window by window.

Samples are mono. int16 arrays carry PCM at full scale 32768, and so do the float32 arrays of what
was received; float32 arrays of what is to be sent run from -1 to 1. Levels are dBov (ITU-T
G.100.1): 0 dBov is the RMS of a full-scale square wave, so a full-scale sine is -3 dBov. Times are
seconds since the first sample of the stream, unless a name ends in ``_ms``.
"""
