"""Renders training pairs with exact depth and cameras from the levels of two free games.

Data flows one way: packages -> archives -> shader scripts and levels -> scene -> views -> samples.

    fetch     assets.py    the games' data packages, unpacked and not installed
    read      archive.py   files by name out of the games' archives
              shaders.py   the picture of each surface name
              bsp.py       a level: surfaces, lightmaps, entities, and the open space
              patches.py   curved surfaces as triangles
    draw      scene.py     a level as a few batches of triangles, one a material
              camera.py    the position and direction of a view
              glsl.py      the programs that OpenGL runs
              render.py    colour and depth through OpenGL, with or without a GPU
              photo.py     exposure, and whether a view is worth keeping
    sample    places.py    eye positions in open space
              overlap.py   the share of a view that another view sees
              sampler.py   pairs, and cliques of views in which every two overlap
    write     apart.py     the work on many levels, each in a separate process, resumable
              produce.py   many pairs from many levels, in order
              sheet.py     contact sheets

A GPU draws much faster, and its machine needs neither the games' data nor a network:

    poses.py     the cameras of many pairs, sampled without drawing the pairs
    packing.py   levels in a few small files
    drawer.py    many views of a packed level at a time
    draw.py      pairs from poses and packed levels, as plain arrays
"""
