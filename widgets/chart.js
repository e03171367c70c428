// What page.js takes from the bundle with Vega, which is loaded when a first explorer is in view.
Object.assign(globalThis, { persistentChart, frame });
