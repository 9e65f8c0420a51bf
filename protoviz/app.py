"""The explorer's door: `protoviz serve`, or `panel serve protoviz/app.py --args runs/mine runs/other`."""

import os
import sys

# Half the cores for a clip: with all of them torch's threads and the browser wait for each other, and a scene
# took 0.95 s instead of 0.1 s on two cores. Torch reads this when it is imported, so it comes first.
os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 2) // 2)))

from protoviz.explorer.server import refusal, refuse, say_reach

say_reach(*sys.argv)
if reason := refusal():
    refuse(reason)
else:
    from protoviz.explorer.frame import explorer
    from protoviz.explorer.studies import served_studies

    explorer(studies=served_studies(sys.argv[1:])).servable()
