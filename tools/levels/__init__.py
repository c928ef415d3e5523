"""Renders training pairs with exact depth and cameras from the levels of two free games.

Data flows one way: packages -> archives -> shader scripts and levels -> scene -> views -> samples.

    fetch     assets.py    the games' data packages, unpacked and not installed
    read      archive.py   files by name out of the games' archives
              shaders.py   how a surface's name becomes a picture
              bsp.py       a level: surfaces, lightmaps, entities, and where there is room to stand
              patches.py   curved surfaces as triangles
    draw      scene.py     a level as a few batches of triangles, one a material
              camera.py    where a picture is taken from
              render.py    colour and depth through OpenGL, with or without a GPU
              photo.py     exposure, and whether a view is worth keeping
    sample    places.py    where a photographer could stand
              overlap.py   how much of one view another sees
              sampler.py   pairs, and cliques of views of which every two overlap
    write     produce.py   many pairs from many levels, in order, resumable
              sheet.py     contact sheets
"""
